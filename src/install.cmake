# cmake --install: program, library, headers, CMake package, pkg-config file, configurations.
include(CMakePackageConfigHelpers)

set(mmsold_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mmsold)
install(TARGETS mmsold EXPORT mmsoldTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET mmsold_program)
  # So that the program finds a shared libmmsold wherever the tree was installed to.
  file(RELATIVE_PATH mmsold_lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(mmsold_program PROPERTIES INSTALL_RPATH "$ORIGIN/${mmsold_lib_from_bin}")
  install(TARGETS mmsold_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/mmsold DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING
        PATTERN "*.yaml" PATTERN "*.png")
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_SOURCE_DIR}/LICENSE
              ${CMAKE_SOURCE_DIR}/CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})

set_target_properties(mmsold PROPERTIES VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# find_package(mmsold): a static library hands its own needs on, so the package file finds them again. Not at the top of
# the build folder: find_package looks there for each folder of PATH, and only an installed package is whole.
get_target_property(mmsold_type mmsold TYPE)
install(EXPORT mmsoldTargets NAMESPACE mmsold:: DESTINATION ${mmsold_package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/src/mmsoldConfig.cmake.in ${CMAKE_BINARY_DIR}/package/mmsoldConfig.cmake
                              INSTALL_DESTINATION ${mmsold_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/mmsoldConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/mmsoldConfig.cmake ${CMAKE_BINARY_DIR}/package/mmsoldConfigVersion.cmake
        DESTINATION ${mmsold_package_dir})

# pkg-config: what a static library stands on, every program linked with it needs too.
if(mmsold_type STREQUAL "STATIC_LIBRARY")
  set(mmsold_pc_private "")
  set(mmsold_pc_libs " -lm")
else()
  set(mmsold_pc_private ".private")
  set(mmsold_pc_libs "")
endif()
# Relative to the file itself, so that an installed tree can be moved.
file(RELATIVE_PATH mmsold_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH mmsold_pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
file(RELATIVE_PATH mmsold_pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
configure_file(${CMAKE_SOURCE_DIR}/src/mmsold.pc.in ${CMAKE_BINARY_DIR}/mmsold.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/mmsold.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
