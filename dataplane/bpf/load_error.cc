#include "dataplane/bpf/load_error.h"

#include <cerrno>
#include <string>

#include "dataplane/bpf/libbpf_log.h"

namespace heddle::bpf {

Error load_error(int error, std::string_view object) {
  std::string said = take_libbpf_log();
  const std::string what = "load the eBPF object " + std::string(object);
  if (error == EPERM || error == EACCES) {
    // The verifier refuses with EACCES too, and then has said why.
    if (said.find("END PROG LOAD LOG") == std::string::npos)
      return Error(Errc::denied, what +
                                     ": not allowed; CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON "
                                     "(or root) are needed");
  }
  if (error == ENOMEM) return Error(Errc::exhausted, what + ": the kernel has no memory for it");
  return Error(Errc::unsupported, what +
                                      ": this kernel refuses it; Linux 6.1 or later with BTF "
                                      "(CONFIG_DEBUG_INFO_BTF) is needed; it said: " +
                                      said);
}

}  // namespace heddle::bpf
