# Finds libmujoco: Debian's libmujoco-dev, or an unpacked release named by MUJOCO_ROOT or MuJoCo_ROOT.
# Its own package file asks for OpenGL, which nothing here needs. Defines MuJoCo::MuJoCo.
find_path(MuJoCo_INCLUDE_DIR mujoco/mujoco.h HINTS ENV MUJOCO_ROOT PATH_SUFFIXES include)
find_library(MuJoCo_LIBRARY mujoco HINTS ENV MUJOCO_ROOT PATH_SUFFIXES lib)
mark_as_advanced(MuJoCo_INCLUDE_DIR MuJoCo_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MuJoCo REQUIRED_VARS MuJoCo_LIBRARY MuJoCo_INCLUDE_DIR)

if(MuJoCo_FOUND AND NOT TARGET MuJoCo::MuJoCo)
    add_library(MuJoCo::MuJoCo UNKNOWN IMPORTED)
    set_target_properties(MuJoCo::MuJoCo PROPERTIES
        IMPORTED_LOCATION "${MuJoCo_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${MuJoCo_INCLUDE_DIR}")
endif()
