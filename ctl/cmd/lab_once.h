#pragma once
#include <signal.h>

#include <atomic>
#include <functional>
#include <optional>

#include "ctl/cmd/labs.h"
#include "topologies/engine/scenario/heartbeat.h"
#include "topologies/engine/scenario/report.h"

namespace heddle::cmd {

// Takes the lab away when the run is interrupted. The steps that are under way then fail; what they
// would print is of no interest any more. Before any other thread: it blocks the signals.
class InterruptGuard {
 public:
  InterruptGuard() {
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  // `clean` runs on another thread, then the program ends with 128 + the signal's number.
  void watch(std::function<void()> clean) {
    std::thread([this, clean = std::move(clean)] {
      int number = 0;
      if (::sigwait(&signals_, &number) != 0) return;
      interrupted_ = true;
      clean();
      ::_exit(128 + number);
    }).detach();
  }
  // From here on nothing returns: the watching thread ends the program.
  void wait_if_interrupted() const {
    while (interrupted_) ::pause();
  }

 private:
  sigset_t signals_{};
  std::atomic<bool> interrupted_{false};
};

// Runs of one lab: deployed, run through, and taken away, whatever happened. An interrupt takes it
// away too.
class LabRuns final {
 public:
  struct Options {
    std::string file;
    std::string lab_dir;
    std::vector<std::string> node_filter;    // these alone; empty: all
    std::optional<format::Runtime> runtime;  // in place of the file's
    bool keep = false;                       // the lab, after its run
  };
  // Errors: `exists` when the lab is deployed, `invalid` for a bad name.
  static Result<std::unique_ptr<LabRuns>> prepare(const format::Lab& lab, Options options,
                                                  Context& context);

  // `talk`: prints all as it goes. Errors: what kept it from being deployed, or taken away.
  enum class Talk { no, yes };
  Result<scenario::Report> run(const format::Lab& lab, std::uint64_t seed, Talk talk);
  // With these faults in place of the file's: links that they strike are made for it.
  Result<scenario::Report> run_with(const format::Lab& lab,
                                    const std::vector<faults::Occurrence>& occurrences,
                                    std::uint64_t seed);

 private:
  LabRuns(plan::LabPaths paths, Options options, Context& context);
  Result<scenario::Report> deploy_and_run(const format::Lab& lab, lab::DeployRequest request,
                                          Talk talk);
  void print_logs(const format::Lab& lab) const;

  const plan::LabPaths paths_;
  const Options options_;
  Context& context_;
  InterruptGuard guard_;
  scenario::Heartbeat heartbeat_;
};

}  // namespace heddle::cmd
