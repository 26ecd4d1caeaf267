# How each kind of target is made. One folder is one static library: its name is its path with
# underscores (`netd/ipam` -> heddle_netd_ipam), its sources are the folder's *.cc files apart from
# main.cc. Sub-folders are libraries of their own.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# For libraries and programs alike, so that they share what is precompiled.
add_compile_options(-fPIE)
add_link_options(-pie)
set(THREADS_PREFER_PTHREAD_FLAG ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Links in a fraction of the time; used when present. (Debian 12's mold can begin PT_GNU_RELRO in a
# page that nothing maps, rui314/mold#1151: such a program does not start.)
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()
# Archives that name their objects instead of copying them.
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> qcsT <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")

set(HEDDLE_SANITIZE "" CACHE STRING "address,undefined or thread")
set(HEDDLE_SANITIZER "")  # what a program has in it for its sanitizer's sake
add_library(heddle_flags INTERFACE)
target_include_directories(heddle_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)
target_compile_options(heddle_flags INTERFACE -Wall -Wextra -Wshadow -Werror
  # Designated initializers name what differs from the defaults.
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>
  # g++ 12 reports these inside its own headers at -O2 (GCC bugs 105562, 105593).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized -Wno-mismatched-new-delete
    -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict -Wno-dangling-pointer>)
target_compile_definitions(heddle_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_CO_AWAIT
  BOOST_ASIO_SEPARATE_COMPILATION  # common/async/asio.cc
  HEDDLE_VERSION="${PROJECT_VERSION}")
if(HEDDLE_SANITIZE)
  target_compile_options(heddle_flags INTERFACE -fsanitize=${HEDDLE_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(heddle_flags INTERFACE -fsanitize=${HEDDLE_SANITIZE})
  target_compile_definitions(heddle_flags INTERFACE HEDDLE_SANITIZED)
  if(HEDDLE_SANITIZE STREQUAL "thread")
    # Asio's fences; and protobuf's headers give its maps two more members when they see the macro,
    # which the distribution's library was built without.
    target_compile_options(heddle_flags INTERFACE -Wno-tsan -U__SANITIZE_THREAD__)
    # Every program has the suppressions in it: those that others start, too.
    set(sanitizers ${CMAKE_SOURCE_DIR}/tests/support/sanitizers)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sanitizers}/tsan.supp)
    file(READ ${sanitizers}/tsan.supp suppressions)
    configure_file(${sanitizers}/options.cc.in ${CMAKE_BINARY_DIR}/gen/sanitizer_options.cc @ONLY)
    add_library(heddle_sanitizer OBJECT ${CMAKE_BINARY_DIR}/gen/sanitizer_options.cc)
    set(HEDDLE_SANITIZER heddle_sanitizer)
  endif()
endif()

find_package(Threads REQUIRED)
# For all alike: -pthread, which gRPC's users get in any case, defines a macro, and what is
# precompiled asks for the same ones.
target_compile_options(heddle_flags INTERFACE -pthread)
target_link_libraries(heddle_flags INTERFACE Threads::Threads)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(spdlog REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
pkg_check_modules(LIBNL REQUIRED IMPORTED_TARGET libnl-3.0 libnl-route-3.0)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(NFTABLES REQUIRED IMPORTED_TARGET libnftables)
pkg_check_modules(LDNS REQUIRED IMPORTED_TARGET ldns)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

# Precompiled headers, but not in debug builds (which lint's are): those show what a file forgot to
# include. `std` for libraries, `gtest` for tests; all that use one have the same flags.
set(HEDDLE_PRECOMPILE OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND (CMAKE_BUILD_TYPE STREQUAL "Release" OR HEDDLE_SANITIZE))
  set(HEDDLE_PRECOMPILE ON)
endif()
function(heddle_precompiled name)
  if(HEDDLE_PRECOMPILE)
    target_link_libraries(heddle_pch_${name} PRIVATE heddle_flags)
    target_precompile_headers(heddle_pch_${name} PRIVATE
      ${CMAKE_SOURCE_DIR}/tests/support/cmake/precompiled/${name}.h)
  endif()
endfunction()
function(heddle_precompile target name)
  if(HEDDLE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM heddle_pch_${name})
  endif()
endfunction()

# They also compile a folder's files several at a time: most of a file's time is templates that its
# neighbours need too. Debug builds compile each file alone, as tests/tidy does headers. Files named
# ALONE in heddle_library and heddle_test use the same local names as a neighbour.
function(heddle_unity target batch)
  if(HEDDLE_PRECOMPILE)
    if(ARGN)
      set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
    # A type of a .cc file looks like one of a header then.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
  endif()
endfunction()
if(HEDDLE_PRECOMPILE)
  # What ccache asks for; and no search for garbage in less than 4 GB: a compiler that ends soon
  # gains nothing by it.
  target_compile_options(heddle_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess --param=ggc-min-heapsize=4000000>)
  set(empty ${CMAKE_SOURCE_DIR}/tests/support/cmake/precompiled/empty.cc)
  add_library(heddle_pch_std STATIC EXCLUDE_FROM_ALL ${empty})
  add_library(heddle_pch_gtest STATIC EXCLUDE_FROM_ALL ${empty})
  target_link_libraries(heddle_pch_gtest PRIVATE GTest::gmock GTest::gtest_main)
endif()

# Tests run for milliseconds and compile for minutes: what lies in tests/ is not optimized, whatever
# the preset says of the programs, and a release's has no debug information.
function(heddle_unoptimized target)
  target_compile_options(${target} PRIVATE -O0 $<$<CONFIG:Release>:-g0>)
endfunction()

if(HEDDLE_PRECOMPILE)
  heddle_precompiled(std)
  heddle_precompiled(gtest)
  heddle_unoptimized(heddle_pch_gtest)
endif()

# Folders whose threads wait for people, for other programs or for the kernel are compiled in two
# thirds of the time, and run as fast. Packets, requests and names stay at -O2.
set(HEDDLE_WAITING "^(ctl|netd/(api|client|cluster|config|control|driver|engine|holder|identity|mesh\
|reconcile|runtime|server|store)|topologies/(engine/(checks|control|faults|format|graph|generate\
|lab|plan|scenario|stages|steps)|labd))(/|$)")
function(heddle_waiting target path)
  if(path MATCHES "${HEDDLE_WAITING}")
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# What ./dev asks for by name: the programs, the sources that are made, the benchmarks.
add_custom_target(programs)
add_custom_target(generated)
add_custom_target(bench)

# heddle_library(netd/ipam DEPS heddle_common ...): libraries that its headers show go to DEPS.
function(heddle_library path)
  cmake_parse_arguments(ARG "" "" "DEPS;EXTRA;ALONE" ${ARGN})
  string(REPLACE "/" "_" name heddle_${path})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(${name} STATIC ${sources} ${ARG_EXTRA})
  target_link_libraries(${name} PUBLIC heddle_flags ${ARG_DEPS})
  heddle_unity(${name} 8 ${ARG_ALONE} ${ARG_EXTRA})
  if(path MATCHES "^tests/")
    heddle_unoptimized(${name})
  else()
    heddle_waiting(${name} ${path})
    heddle_precompile(${name} std)
  endif()
endfunction()

# heddle_program(heddled netd/main.cc DEPS ...)
function(heddle_program name main)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${main})
  target_link_libraries(${name} PRIVATE heddle_flags ${HEDDLE_SANITIZER} ${ARG_DEPS})
  # It reads the command line and waits.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  heddle_precompile(${name} std)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# heddle_bench(tests/bench/proxy DEPS ...): the folder's *.cc files as one Google Benchmark program in
# <build>/bench, built by `bench` alone.
function(heddle_bench path)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.cc)
  add_executable(${name} EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${name} PRIVATE heddle_flags ${ARG_DEPS} benchmark::benchmark_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  add_dependencies(bench ${name})
endfunction()

# heddle_test(tests/unit/netd/dns LABEL unit DEPS heddle_netd_dns): the folder's *_test.cc files as one
# binary; with FOLDERS, those of these sub-folders of the CMakeLists.txt's own: what tests need of the
# standard library, gtest and the model costs more to compile than most tests, so that few programs
# are made in a fraction of the time of one for each folder. Labels: unit (no root), netns, bpf, peer, lab (root, serial).
function(heddle_test path)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "DEPS;ALONE;FOLDERS" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  set(globs ${CMAKE_SOURCE_DIR}/${path}/*.cc)
  if(ARG_FOLDERS)
    list(TRANSFORM ARG_FOLDERS REPLACE "(.+)" "${CMAKE_CURRENT_SOURCE_DIR}/\\1/*.cc"
      OUTPUT_VARIABLE globs)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${globs})
  if(NOT sources)
    message(WARNING "${path} has no tests")
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE heddle_flags ${HEDDLE_SANITIZER} ${ARG_DEPS}
    GTest::gtest GTest::gmock GTest::gtest_main)
  heddle_unoptimized(${name})
  heddle_precompile(${name} gtest)
  heddle_unity(${name} 12 ${ARG_ALONE})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${path} COMMAND ${name} --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${path} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "HEDDLE_BIN=${CMAKE_BINARY_DIR}/bin")
  if(NOT ARG_LABEL STREQUAL "unit")
    set_tests_properties(${path} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# heddle_proto(netd/api node.proto [GRPC]): C++ messages as a library heddle_<path>_<stem>_proto,
# included as "netd/api/<stem>.pb.h", and with GRPC its services as heddle_<path>_<stem>_grpc. Only
# folders that translate between messages and model values link them.
function(heddle_proto path file)
  cmake_parse_arguments(ARG "GRPC" "" "DEPS" ${ARGN})
  get_filename_component(stem ${file} NAME_WE)
  string(REPLACE "/" "_" name heddle_${path}_${stem})
  set(gen ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${gen})
  add_custom_command(OUTPUT ${gen}/${path}/${stem}.pb.cc ${gen}/${path}/${stem}.pb.h
    COMMAND protobuf::protoc -I${CMAKE_SOURCE_DIR} --cpp_out=${gen} ${path}/${file}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    DEPENDS ${CMAKE_SOURCE_DIR}/${path}/${file} VERBATIM)
  add_library(${name}_proto STATIC ${gen}/${path}/${stem}.pb.cc ${gen}/${path}/${stem}.pb.h)
  add_custom_target(${name}_sources DEPENDS ${gen}/${path}/${stem}.pb.h)
  add_dependencies(generated ${name}_sources)
  target_include_directories(${name}_proto SYSTEM PUBLIC ${gen})
  target_link_libraries(${name}_proto PUBLIC protobuf::libprotobuf ${ARG_DEPS})
  heddle_waiting(${name}_proto ${path})
  if(ARG_GRPC)
    find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
    add_custom_command(OUTPUT ${gen}/${path}/${stem}.grpc.pb.cc ${gen}/${path}/${stem}.grpc.pb.h
      COMMAND protobuf::protoc -I${CMAKE_SOURCE_DIR} --grpc_out=${gen}
        --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${path}/${file}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      DEPENDS ${CMAKE_SOURCE_DIR}/${path}/${file} ${gen}/${path}/${stem}.pb.h VERBATIM)
    add_library(${name}_grpc STATIC ${gen}/${path}/${stem}.grpc.pb.cc
      ${gen}/${path}/${stem}.grpc.pb.h)
    add_custom_target(${name}_grpc_sources DEPENDS ${gen}/${path}/${stem}.grpc.pb.h)
    add_dependencies(generated ${name}_grpc_sources)
    target_link_libraries(${name}_grpc PUBLIC ${name}_proto gRPC::grpc++)
    heddle_waiting(${name}_grpc ${path})
    set_target_properties(${name}_grpc PROPERTIES CXX_STANDARD 17)
  endif()
  set_target_properties(${name}_proto PROPERTIES CXX_STANDARD 17)
endfunction()

# heddle_bpf_object(overlay): ebpf/overlay.bpf.c -> <build>/gen/ebpf/overlay.skel.h, CO-RE against
# the BTF of the running kernel (or of HEDDLE_VMLINUX_BTF).
set(HEDDLE_VMLINUX_BTF /sys/kernel/btf/vmlinux CACHE FILEPATH "BTF that vmlinux.h is made from")
function(heddle_bpf_object stem)
  find_program(CLANG_BPF NAMES clang-19 REQUIRED)
  find_program(LLVM_STRIP NAMES llvm-strip-19 REQUIRED)
  find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)
  set(gen ${CMAKE_BINARY_DIR}/gen/ebpf)
  set(source ${CMAKE_SOURCE_DIR}/ebpf/${stem}.bpf.c)
  file(MAKE_DIRECTORY ${gen})
  if(NOT TARGET heddle_vmlinux_h)
    add_custom_command(OUTPUT ${gen}/vmlinux.h
      COMMAND sh -c "${BPFTOOL} btf dump file ${HEDDLE_VMLINUX_BTF} format c > ${gen}/vmlinux.h"
      VERBATIM)
    add_custom_target(heddle_vmlinux_h DEPENDS ${gen}/vmlinux.h)
  endif()
  add_custom_command(OUTPUT ${gen}/${stem}.skel.h
    COMMAND ${CLANG_BPF} -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -Wall -Wextra -Werror
      -Wno-unused-parameter -Wno-missing-declarations -I${CMAKE_SOURCE_DIR} -I${CMAKE_BINARY_DIR}/gen
      -MD -MF ${gen}/${stem}.bpf.d -MT ${gen}/${stem}.skel.h -c ${source} -o ${gen}/${stem}.bpf.o
    COMMAND ${LLVM_STRIP} -g ${gen}/${stem}.bpf.o
    COMMAND sh -c "${BPFTOOL} gen skeleton ${gen}/${stem}.bpf.o name ${stem}_bpf > ${gen}/${stem}.skel.h"
    DEPENDS ${source} ${gen}/vmlinux.h DEPFILE ${gen}/${stem}.bpf.d VERBATIM)
  add_custom_target(heddle_bpf_${stem} DEPENDS ${gen}/${stem}.skel.h)
  add_dependencies(generated heddle_bpf_${stem})
endfunction()
