# Compiler settings of our own targets, in one place. Nothing here leaks to a user's project.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
endif()

find_program(DRYDOCK_CCACHE ccache)
if(DRYDOCK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${DRYDOCK_CCACHE})
endif()

find_package(Threads REQUIRED)
if(CMAKE_CROSSCOMPILING)  # of its library there is none for the target, its headers do
    add_library(fmt::fmt INTERFACE IMPORTED)
    set_target_properties(fmt::fmt PROPERTIES INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1)
else()
    find_package(fmt REQUIRED)
endif()
find_package(nlohmann_json REQUIRED)

# Warnings, sanitizers and contraction, applied to every target of ours.
# -ffp-contract=off: a product and a sum become one fma only where the source says so; results then
# do not depend on the compiler's mood, and the portable and the vector paths can be compared.
add_library(drydock_settings INTERFACE)
target_include_directories(drydock_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(drydock_settings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -ffp-contract=off)
if(DRYDOCK_WERROR)
    target_compile_options(drydock_settings INTERFACE -Werror)
endif()
if(DRYDOCK_SANITIZE)
    target_compile_options(drydock_settings INTERFACE
        -fsanitize=${DRYDOCK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(drydock_settings INTERFACE -fsanitize=${DRYDOCK_SANITIZE})
endif()

# drydock_room(NAME SOURCES ... USES ...): one static library for one folder.
function(drydock_room name)
    cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
    add_library(drydock_${name} STATIC ${ROOM_SOURCES})
    add_library(drydock::${name} ALIAS drydock_${name})
    target_link_libraries(drydock_${name} PUBLIC ${ROOM_USES} PRIVATE drydock_settings)
    target_include_directories(drydock_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
endfunction()
