# cmake --install: the program with its data, the library with its headers, and the package for find_package(opsched).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(OPSCHED_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/opsched)
set(OPSCHED_TARGETS opsched_lib)
if(OPSCHED_WITH_CUDA)
  list(APPEND OPSCHED_TARGETS opsched_cuda)
endif()
install(TARGETS ${OPSCHED_TARGETS} EXPORT opsched_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS opsched_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY core schedulers networks DESTINATION include/opsched FILES_MATCHING PATTERN "*.hpp")

# The program finds this data next to itself (experiments/device/folders.cpp): its Python scripts, and recorded results.
install(DIRECTORY analysis DESTINATION share/opsched
        FILES_MATCHING REGEX "[.](py|json|html|css|js|toml)$|py[.]typed$" PATTERN "__pycache__" EXCLUDE PATTERN "build" EXCLUDE)
install(DIRECTORY results DESTINATION share/opsched
        FILES_MATCHING REGEX "/(records[.]jsonl|profile-[a-z0-9]+[.]json|index[.]json)$")

install(EXPORT opsched_targets NAMESPACE opsched:: DESTINATION ${OPSCHED_PACKAGE_DIR} FILE opschedTargets.cmake)

configure_package_config_file(cmake/opschedConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/opschedConfig.cmake
                              INSTALL_DESTINATION ${OPSCHED_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/opschedConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/opschedConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/opschedConfigVersion.cmake
        DESTINATION ${OPSCHED_PACKAGE_DIR})
