# Follows docs/adding_a_scheduler.md: takes the files and the line from the page, compiles them with the rest of the
# library, and runs the schedulers. Arguments: SOURCE, WORK, CXX, FLAGS, LIBRARY.
file(READ ${SOURCE}/docs/adding_a_scheduler.md page)

# The text of the first code block after `marker`.
function(code_block marker result)
  string(FIND "${page}" "${marker}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "the page has no \"${marker}\"")
  endif()
  string(SUBSTRING "${page}" ${at} -1 rest)
  string(FIND "${rest}" "```cpp\n" begin)
  math(EXPR begin "${begin} + 7")
  string(SUBSTRING "${rest}" ${begin} -1 rest)
  string(FIND "${rest}" "```" end)
  string(SUBSTRING "${rest}" 0 ${end} code)
  set(${result} "${code}" PARENT_SCOPE)
endfunction()

code_block("`schedulers/longest_first.cpp`:" scheduler)
code_block("`schedulers/round_robin.cpp`:" over_devices)
code_block("In `schedulers/registry.cpp`" line)
string(APPEND line "  ADD(round_robin_scheduler) \\\n")

file(READ ${SOURCE}/schedulers/registry.cpp registry)
string(REGEX MATCHALL "  ADD\\(" entries "${registry}")
list(LENGTH entries count)
math(EXPR expected "${count} + 2")
string(FIND "${registry}" "  ADD(" at)
string(SUBSTRING "${registry}" 0 ${at} before)
string(SUBSTRING "${registry}" ${at} -1 after)
set(registry "${before}${line}${after}")

file(REMOVE_RECURSE ${WORK})
file(WRITE ${WORK}/longest_first.cpp "${scheduler}")
file(WRITE ${WORK}/round_robin.cpp "${over_devices}")
file(WRITE ${WORK}/registry.cpp "${registry}")
separate_arguments(FLAGS)
# The library has its own registry, compiled together with other files. The linker takes the first: this one.
execute_process(
  COMMAND ${CXX} -std=c++20 -Wall -Wextra ${FLAGS} -I${SOURCE} ${WORK}/longest_first.cpp
          ${WORK}/round_robin.cpp ${WORK}/registry.cpp
          ${SOURCE}/tests/docs/added_scheduler.cpp ${LIBRARY} -Wl,--allow-multiple-definition -pthread -o ${WORK}/added_scheduler
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK}/added_scheduler ${expected} COMMAND_ERROR_IS_FATAL ANY)
