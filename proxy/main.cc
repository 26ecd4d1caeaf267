// heddle-proxy: the L7 and L4 proxy. Read top-down this is the program's map.
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <thread>

#include "common/async/task_group.h"
#include "common/observe/log.h"
#include "proxy/admin/admin.h"
#include "proxy/control/subscription.h"
#include "proxy/listener/handed_sockets.h"
#include "proxy/listener/worker.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/metrics.h"

namespace heddle {
namespace {

struct Options {
  std::string id;
  std::string control_socket;
  std::string metrics_socket_name = "metrics";
  std::string access_log = "none";
  std::uint32_t access_log_sample = 1;
  unsigned threads = 1;
  std::string log_level = "info";
};

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<std::uint64_t>(::getpid()) * 0x9e3779b97f4a7c15;
  }
  return seed;
}

// As many descriptors as allowed; two per proxied connection, some for everything else.
std::size_t connections_per_core(unsigned threads, std::size_t most) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return most;
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
  const std::size_t usable = files.rlim_cur > 128 ? files.rlim_cur - 64 : 64;
  return std::min<std::size_t>(most, usable / 2 / threads);
}

// One thread, one executor, one worker. Core 0 is the main thread's and has control and admin too.
struct CoreThread {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  std::unique_ptr<listener::Worker> worker;
  TaskGroup tasks{io.get_executor()};
  std::thread thread;
};

class Program {
 public:
  Program(Options options, listener::HandedSockets sockets,
          std::unique_ptr<telemetry::AccessLog> access_log)
      : options_(std::move(options)),
        handed_(std::move(sockets)),
        metrics_(HEDDLE_VERSION),
        access_log_(std::move(access_log)) {}

  Result<> run();

 private:
  void start_cores();
  Result<> start_control();
  Task<> stop_on_signal();
  Task<> drain_core(CoreThread& core, Deadline deadline);
  admin::Admin::Page page(std::string_view path);

  const Options options_;
  const listener::HandedSockets handed_;  // numbers; their owners are control and admin
  telemetry::Metrics metrics_;
  std::unique_ptr<telemetry::AccessLog> access_log_;
  listener::Settings settings_;
  std::vector<std::unique_ptr<CoreThread>> cores_;
  std::unique_ptr<control::Subscription> control_;
  std::unique_ptr<admin::Admin> admin_;
  std::optional<asio::signal_set> signals_;  // to the end: another SIGTERM must not cut a drain
  std::size_t draining_ = 0;                 // cores
};

void Program::start_cores() {
  settings_.max_connections = connections_per_core(options_.threads, settings_.max_connections);
  for (unsigned i = 0; i < options_.threads; ++i) cores_.push_back(std::make_unique<CoreThread>());
  // a core -> control: an unknown destination
  const auto ask = [this](SocketAddr destination) {
    asio::post(cores_[0]->io, [this, destination] { control_->resolve(destination); });
  };
  for (auto& core : cores_) {
    core->worker = std::make_unique<listener::Worker>(core->io.get_executor(), settings_, metrics_,
                                                      *access_log_, ask, random_seed());
  }
}

Result<> Program::start_control() {
  control::Subscription::Options options;
  options.proxy_id = options_.id;
  options.socket_path = options_.control_socket;
  options.version = HEDDLE_VERSION;
  options.seed = random_seed();
  UniqueFd metrics_socket;
  for (const auto& [name, fd] : handed_) {
    if (name == options_.metrics_socket_name) {
      metrics_socket.reset(fd);
    } else {
      options.sockets[name] = std::make_shared<const UniqueFd>(fd);
    }
  }
  CoreThread& first = *cores_[0];
  // control -> every core: configuration, in order
  auto publish = [this](const control::ConfigEvent& event) {
    for (auto& core : cores_) {
      asio::post(core->io, [worker = core->worker.get(), event] { worker->apply(event); });
    }
  };
  control_ = std::make_unique<control::Subscription>(first.io.get_executor(), std::move(options),
                                                     metrics_, std::move(publish));
  first.tasks.spawn(control_->run());
  if (!metrics_socket) return {};
  auto pages = [this](std::string_view path) { return page(path); };
  TRY(admin_, admin::Admin::open(first.io.get_executor(), std::move(metrics_socket), pages));
  first.tasks.spawn(admin_->run());
  return {};
}

admin::Admin::Page Program::page(std::string_view path) {
  admin::Admin::Page page;
  if (path == "/metrics") {
    metrics_.set_access_log_dropped(access_log_->dropped());
    page = {200, "text/plain; version=0.0.4; charset=utf-8", metrics_.format()};
  } else if (path == "/ready") {
    page.status = control_->is_ready() && draining_ == 0 ? 200 : 503;
    page.body = page.status == 200 ? "ready\n" : "no configuration is in force\n";
  } else if (path == "/config") {
    page = {200, "application/json", control_->describe()};
  } else {
    page.body = "pages: /metrics /ready /config\n";
  }
  return page;
}

Task<> Program::drain_core(CoreThread& core, Deadline deadline) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await core.worker->drain(deadline);
  asio::post(cores_[0]->io, [this] {
    if (--draining_ > 0) return;
    if (admin_) admin_->stop();
    control_->stop();
  });
}

Task<> Program::stop_on_signal() {
  co_await asio::this_coro::throw_if_cancelled(false);
  signals_.emplace(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  const auto [ec, number] = co_await signals_->async_wait(nothrow);
  if (ec) co_return;
  log_info("stopping", {{"signal", number}});
  draining_ = cores_.size();
  const Deadline deadline = after(settings_.drain);
  for (auto& core : cores_) {
    asio::post(core->io,
               [this, &core = *core, deadline] { core.tasks.spawn(drain_core(core, deadline)); });
  }
}

Result<> Program::run() {
  start_cores();
  TRY_DO(start_control());
  CoreThread& first = *cores_[0];
  first.tasks.spawn(stop_on_signal());
  for (std::size_t i = 1; i < cores_.size(); ++i) {
    cores_[i]->thread = std::thread([core = cores_[i].get()] { core->io.run(); });
  }
  log_info("started", {{"id", options_.id},
                       {"threads", options_.threads},
                       {"sockets", handed_.size()},
                       {"version", HEDDLE_VERSION}});
  // Timers of past requests may be pending still: what counts is that every task has ended.
  while (first.tasks.size() > 0) first.io.run_one();
  for (std::size_t i = 1; i < cores_.size(); ++i) {
    asio::post(cores_[i]->io, [core = cores_[i].get()] { core->io.stop(); });
    cores_[i]->thread.join();
  }
  log_info("stopped", {});
  return {};
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--id", options.id, "Name of this proxy, as heddled knows it")->required();
  app.add_option("--control-socket", options.control_socket, "heddled's socket for proxies")
      ->required();
  app.add_option("--metrics-socket-name", options.metrics_socket_name,
                 "Which handed-over socket serves /metrics, /ready and /config")
      ->capture_default_str();
  app.add_option("--access-log", options.access_log,
                 "Where one JSON line per request goes: a path, - or none")
      ->capture_default_str();
  app.add_option("--access-log-sample", options.access_log_sample,
                 "Write one of N lines; answers of 500 and above always")
      ->check(CLI::Range(1u, 1'000'000u))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Cores to use")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->capture_default_str();
  app.set_version_flag("--version", HEDDLE_VERSION);
  app.footer(
      "Listening sockets are inherited: HEDDLE_PROXY_SOCKETS=\"name=fd,name=fd\"; those that the\n"
      "configuration adds later are asked for at the control socket's path with .sockets added.\n"
      "Exit status: 0 after SIGTERM, 1 on failure, 2 for wrong usage.");
}

Result<> run_program(const Options& options) {
  TRY_DO(start_logging("heddle-proxy", options.log_level));
  const char* handed = ::getenv("HEDDLE_PROXY_SOCKETS");
  TRY(auto sockets, listener::parse_handed_sockets(handed ? handed : ""));
  if (sockets.empty()) {
    return fail(Errc::invalid,
                "no sockets: set HEDDLE_PROXY_SOCKETS to name=fd of listening descriptors");
  }
  TRY(auto access_log, telemetry::AccessLog::open(options.access_log, options.access_log_sample));
  Program program(options, std::move(sockets), std::move(access_log));
  return program.run();
}

}  // namespace
}  // namespace heddle

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("heddle-proxy: HTTP and TCP proxy of a Heddle node", "heddle-proxy");
  heddle::Options options;
  heddle::add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto result = heddle::run_program(options);
  if (result) return 0;
  std::cerr << "heddle-proxy: " << result.error().text() << "\n";
  return 1;
}
