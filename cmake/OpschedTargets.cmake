# Turns folders into targets. A new .cpp in a listed folder is picked up without a change here.

# opsched_objects(NAME FOLDERS folder... [TOGETHER folder...] [UNIQUE_NAMES] [LINK library...]): an object library of the
# .cpp files in these folders, without their subfolders. Folders are relative to the caller. Each folder in TOGETHER is
# compiled as one file, so that templates shared by its files (mainly JSON's) are instantiated only once. With
# OPSCHED_TOGETHER this holds for every folder, and with UNIQUE_NAMES the folders in TOGETHER are one file. That is fastest
# for a single build, as in CI.
function(opsched_objects name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "UNIQUE_NAMES" "" "FOLDERS;TOGETHER;LINK")
  set(sources)
  foreach(folder ${arg_FOLDERS} ${arg_TOGETHER})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND sources ${found})
    if(folder IN_LIST arg_TOGETHER AND OPSCHED_TOGETHER AND arg_UNIQUE_NAMES)
      set_source_files_properties(${found} PROPERTIES UNITY_GROUP ${name})
    elseif(folder IN_LIST arg_TOGETHER OR OPSCHED_TOGETHER)
      set_source_files_properties(${found} PROPERTIES UNITY_GROUP ${folder})
    endif()
  endforeach()
  add_library(${name} OBJECT ${sources})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
  # Where several files are one, GCC takes them for headers, and warns of their anonymous namespaces.
  target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  target_link_libraries(${name} PUBLIC ${arg_LINK})
endfunction()

# Standard headers that nearly every file includes, and the given ones, parsed once for the target.
function(opsched_precompile name)
  target_precompile_headers(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp> ${ARGN})
  opsched_cacheable(${name})
endfunction()

# Reuses the precompiled headers of another target, which must have the same options.
function(opsched_reuse_precompiled name other)
  target_precompile_headers(${name} REUSE_FROM ${other})
  opsched_cacheable(${name})
endfunction()

# Lets compiler caches work with precompiled headers.
function(opsched_cacheable name)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endfunction()
