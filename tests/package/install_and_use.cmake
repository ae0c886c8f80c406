# Installs Intact and uses it twice; see CMakeLists.txt here.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "${command}\nfailed (${code}):\n${out}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

set(prefix "${WORK}/prefix")
set(model "${SOURCE}/examples/digits/digits.onnx")
set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()
file(REMOVE_RECURSE "${WORK}")
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

run(${CMAKE_COMMAND} -S ${SOURCE}/tests/package/consumer -B ${WORK}/consumer -G ${GENERATOR}
  -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_FLAGS=${flags}
  -D EXAMPLE=${SOURCE}/examples/run_model.cpp)
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/run_model ${model})
if(NOT output MATCHES "greatest value")
  message(FATAL_ERROR "the program built with find_package printed:\n${output}")
endif()

set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
run(pkg-config --cflags --libs intact)
separate_arguments(options UNIX_COMMAND "${output}")
run(${COMPILER} -std=c++20 ${flags} ${SOURCE}/examples/run_model.cpp -o ${WORK}/with_pkg_config ${options}
  -Wl,-rpath,${prefix}/${LIBDIR})
run(${WORK}/with_pkg_config ${model})
if(NOT output MATCHES "greatest value")
  message(FATAL_ERROR "the program built with pkg-config printed:\n${output}")
endif()

run(${prefix}/bin/intact --version)
