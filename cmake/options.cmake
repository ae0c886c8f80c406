# Compile options common to all layers, as the interface target intact_options.
add_library(intact_options INTERFACE)
target_include_directories(intact_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
# GCC 12 takes moved optionals and appended strings for uninitialized or overlapping memory.
target_compile_options(intact_options INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>)
# Numeric contract: no contraction of a*b+c and no value-changing optimization (docs/numerics.md).
target_compile_options(intact_options INTERFACE -Wall -Wextra -Wno-unused-parameter -ffp-contract=off)
if(INTACT_SANITIZE)
  target_compile_options(intact_options INTERFACE -fsanitize=${INTACT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(intact_options INTERFACE -fsanitize=${INTACT_SANITIZE})
endif()
if(INTACT_FUZZ)
  target_compile_options(intact_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# One OBJECT library per layer; cmake/CMakeLists.txt joins them into the library `intact`.
function(intact_layer name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PUBLIC intact_options ${ARGN})
endfunction()
