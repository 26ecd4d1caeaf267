#pragma once
#include <string_view>

#include "common/base/result.h"

namespace heddle::bpf {

// Why an eBPF object could not be loaded, from the errno and what libbpf said since
// begin_libbpf_log(): `denied` without CAP_BPF, `unsupported` with the verifier's words.
Error load_error(int error, std::string_view object);

}  // namespace heddle::bpf
