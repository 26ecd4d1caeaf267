#include "tests/bpf/support/test_run.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>

namespace heddle::testing {

Result<Ran> run_tc(int program_fd, const Bytes& frame) {
  Bytes out(frame.size() + 256);
  __sk_buff context{};
  context.ifindex = 1;
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = frame.data();
  opts.data_size_in = static_cast<std::uint32_t>(frame.size());
  opts.data_out = out.data();
  opts.data_size_out = static_cast<std::uint32_t>(out.size());
  opts.ctx_in = &context;
  opts.ctx_size_in = sizeof(context);
  opts.repeat = 1;
  if (bpf_prog_test_run_opts(program_fd, &opts) != 0) return fail_errno(errno, "run the program");
  out.resize(opts.data_size_out);
  return Ran{.verdict = static_cast<int>(opts.retval), .frame = std::move(out)};
}

}  // namespace heddle::testing
