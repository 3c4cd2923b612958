# How the folders become targets. A new .cpp in a folder that is listed is picked up without a change here.

# opsched_objects(NAME FOLDERS folder... [TOGETHER folder...] [LINK library...]): the .cpp files of these folders
# (without their subfolders) as one object library. Folders are relative to the caller. Those of a folder in TOGETHER
# are compiled as one file, which spares parsing and instantiating the same templates (JSON's above all) in each. With
# OPSCHED_TOGETHER every folder is: fastest for who builds once and changes nothing, as CI's tools do.
function(opsched_objects name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FOLDERS;TOGETHER;LINK")
  set(sources)
  foreach(folder ${arg_FOLDERS} ${arg_TOGETHER})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND sources ${found})
    if(folder IN_LIST arg_TOGETHER OR OPSCHED_TOGETHER)
      set_source_files_properties(${found} PROPERTIES UNITY_GROUP ${folder})
    endif()
  endforeach()
  add_library(${name} OBJECT ${sources})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
  target_link_libraries(${name} PUBLIC ${arg_LINK})
endfunction()

# The standard headers that nearly every file reads, and further ones, parsed once for the target.
function(opsched_precompile name)
  target_precompile_headers(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp> ${ARGN})
  opsched_cacheable(${name})
endfunction()

# The same headers, as another target with the same options precompiled them.
function(opsched_reuse_precompiled name other)
  target_precompile_headers(${name} REUSE_FROM ${other})
  opsched_cacheable(${name})
endfunction()

# What a compiler cache needs to see through a precompiled header.
function(opsched_cacheable name)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endfunction()
