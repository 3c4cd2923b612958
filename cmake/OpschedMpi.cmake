# Decides whether several processes can work together (core/processes/mpi).
set(OPSCHED_WITH_MPI OFF)
if(NOT OPSCHED_MPI STREQUAL "OFF")
  set(MPI_CXX_SKIP_MPICXX ON)  # only MPI's C interface is used
  find_package(MPI QUIET COMPONENTS CXX)
  if(MPI_CXX_FOUND)
    set(OPSCHED_WITH_MPI ON)
  elseif(OPSCHED_MPI STREQUAL "ON")
    message(FATAL_ERROR "OPSCHED_MPI=ON, but no MPI was found. Install one (Debian and Ubuntu: libopenmpi-dev "
                        "openmpi-bin), or set OPSCHED_MPI=OFF.")
  endif()
endif()

if(OPSCHED_WITH_MPI)
  add_subdirectory(core/processes/mpi)
  message(STATUS "MPI: on (${MPI_CXX_LIBRARIES})")
else()
  message(STATUS "MPI: off (everything runs in one process)")
endif()
