#pragma once
#include <string>

// What libbpf says while it works, kept for the error that follows instead of going to stderr.
namespace heddle::bpf {

// Installs the sink (for the whole process, as libbpf has it) and forgets what this thread kept.
void begin_libbpf_log();

// The last lines that libbpf warned on this thread since begin_libbpf_log(), joined with "; ".
std::string take_libbpf_log();

}  // namespace heddle::bpf
