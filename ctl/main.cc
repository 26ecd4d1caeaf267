#include <csignal>
#include <iostream>

#include "ctl/cmd/program.h"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::signal(SIGPIPE, SIG_IGN);  // `heddle ... | head` ends through the failed write
  heddle::cmd::Context context(std::cout, std::cerr);
  context.in = &std::cin;
  const int status =
      heddle::cmd::run_program(std::vector<std::string>(argv + 1, argv + argc), context);
  std::cout.flush();
  return status;
}
