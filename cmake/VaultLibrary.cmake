# One static library per folder, one cmocka executable per test.

# What every target of ours is compiled with. -Werror is in the presets alone,
# so that a newer compiler's new warning never breaks a user's build.
add_library(vault_flags INTERFACE)
target_compile_definitions(vault_flags INTERFACE _GNU_SOURCE
	_FILE_OFFSET_BITS=64 VAULT_VERSION="${PROJECT_VERSION}")
target_compile_options(vault_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow
	-Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla
	-fno-common)
target_include_directories(vault_flags INTERFACE ${PROJECT_SOURCE_DIR})

# vault_library(NAME SOURCES ... HEADERS ... [PUBLIC ...] [PRIVATE ...])
# PUBLIC: libraries of ours; PRIVATE: third parties, whose headers stay inside.
function(vault_library name)
	cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
	add_library(${name} STATIC ${ARG_SOURCES})
	target_sources(${name} PUBLIC FILE_SET HEADERS
		BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
	set_target_properties(${name} PROPERTIES
		VERIFY_INTERFACE_HEADER_SETS ON LINKER_LANGUAGE C)
	target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} Threads::Threads
		PRIVATE vault_flags ${ARG_PRIVATE})
	target_compile_definitions(${name} INTERFACE _GNU_SOURCE
		_FILE_OFFSET_BITS=64)
endfunction()

# vault_test(NAME SOURCES ... LIBS ...): an executable that ctest runs. Exit
# code 77 is a skip.
function(vault_test name)
	cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
	if(NOT ARG_TIMEOUT)
		set(ARG_TIMEOUT 300)
	endif()
	add_executable(${name} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE vault_flags ${ARG_LIBS}
		vault_test_support PkgConfig::CMOCKA)
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77
		TIMEOUT ${ARG_TIMEOUT})
endfunction()
