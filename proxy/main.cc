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
#include "proxy/admin/client.h"
#include "proxy/config/bind.h"
#include "proxy/config/source.h"
#include "proxy/control/subscription.h"
#include "proxy/health/checker.h"
#include "proxy/health/report.h"
#include "proxy/listener/handed_sockets.h"
#include "proxy/listener/worker.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/metrics.h"

namespace heddle {
namespace {

struct Options {
  std::string config;  // a file; else heddled says what to do
  bool check = false;
  std::string id;
  std::string control_socket;
  std::string metrics_socket_name = "metrics";
  telemetry::AccessLog::Settings access_log;
  unsigned threads = 1;
  std::string log_level = "info";
};

// `heddle-proxy admin`: asks a running proxy.
struct AdminOptions {
  std::string socket = "/run/heddle-proxy/admin.sock";
  std::string command;
  std::string argument;
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
  // `edge`: the configuration file's content, when there is one.
  Program(Options options, std::optional<config::Edge> edge, listener::HandedSockets sockets,
          std::unique_ptr<telemetry::AccessLog> access_log)
      : options_(std::move(options)),
        edge_(std::move(edge)),
        handed_(std::move(sockets)),
        metrics_(HEDDLE_VERSION),
        access_log_(std::move(access_log)) {}

  Result<> run();

 private:
  void start_cores();
  void publish(const control::ConfigEvent& event);
  Result<> start_control();
  Result<> start_file();
  Result<> serve_pages(UniqueFd socket, admin::Admin::Access access);
  Task<> stop_on_signal();
  Task<> reload_on_signal();
  Task<> drain_core(CoreThread& core, Deadline deadline);
  Task<admin::Admin::Page> page(admin::Admin::Ask ask);
  Task<admin::Admin::Page> change(admin::Admin::Ask ask);
  bool is_ready() const;

  const Options options_;
  std::optional<config::Edge> edge_;      // until it is in force
  const listener::HandedSockets handed_;  // numbers; their owners are control and admin
  telemetry::Metrics metrics_;
  std::unique_ptr<telemetry::AccessLog> access_log_;
  listener::Settings settings_;
  upstream::Shared shared_;  // by the cores
  std::vector<std::unique_ptr<CoreThread>> cores_;
  std::unique_ptr<control::Subscription> control_;  // one of these two
  std::unique_ptr<config::FileSource> file_;
  std::unique_ptr<health::Checker> checker_;
  std::vector<std::unique_ptr<admin::Admin>> admins_;
  std::optional<asio::signal_set> signals_;  // to the end: another SIGTERM must not cut a drain
  std::optional<asio::signal_set> hangups_;
  std::size_t draining_ = 0;  // cores
};

void Program::start_cores() {
  settings_.max_connections = connections_per_core(options_.threads, settings_.max_connections);
  for (unsigned i = 0; i < options_.threads; ++i) cores_.push_back(std::make_unique<CoreThread>());
  // a core -> control: an unknown destination
  const auto ask = [this](SocketAddr destination) {
    asio::post(cores_[0]->io, [this, destination] {
      if (control_) control_->resolve(destination);
    });
  };
  for (auto& core : cores_) {
    core->worker = std::make_unique<listener::Worker>(core->io.get_executor(), settings_, metrics_,
                                                      *access_log_, shared_, ask, random_seed());
  }
}

// configuration -> every core, in order
void Program::publish(const control::ConfigEvent& event) {
  checker_->apply(event);
  for (auto& core : cores_) {
    asio::post(core->io, [worker = core->worker.get(), event] { worker->apply(event); });
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
  control_ = std::make_unique<control::Subscription>(
      first.io.get_executor(), std::move(options), metrics_,
      [this](const control::ConfigEvent& event) { publish(event); });
  first.tasks.spawn(control_->run());
  if (!metrics_socket) return {};
  return serve_pages(std::move(metrics_socket), admin::Admin::Access::see);
}

Result<> Program::start_file() {
  config::FileSource::Options options;
  options.path = options_.config;
  UniqueFd pages;
  UniqueFd control;
  for (const auto& [name, fd] : handed_) {
    if (edge_->admin_bind && name == edge_->admin_bind->format()) {
      pages.reset(fd);
    } else {
      options.sockets[name] = std::make_shared<const UniqueFd>(fd);
    }
  }
  if (edge_->admin_bind && !pages) {
    TRY(pages, config::bind_tcp(*edge_->admin_bind).during("admin.bind"));
  }
  if (!edge_->admin_socket.empty()) {
    // Who hands sockets over replaces one program by the next.
    const auto present = handed_.empty() ? config::Present::left : config::Present::replaced;
    TRY(control, config::bind_unix(edge_->admin_socket, present).during("admin.socket"));
  }
  file_ = std::make_unique<config::FileSource>(
      cores_[0]->io.get_executor(), std::move(options), metrics_,
      [this](const control::ConfigEvent& event) { publish(event); });
  shared_.all.set_limits(edge_->limits);
  file_->on_applied = [this](const config::Edge& edge) {
    shared_.all.set_limits(edge.limits);
    const auto log = access_log_->configure(edge.access_log.value_or(options_.access_log));
    if (!log) log_error("access_log.failed", {{"error", log.error()}});
  };
  TRY_DO(file_->start(*std::move(edge_)));
  edge_.reset();
  if (pages) TRY_DO(serve_pages(std::move(pages), admin::Admin::Access::see));
  if (control) TRY_DO(serve_pages(std::move(control), admin::Admin::Access::change));
  cores_[0]->tasks.spawn(reload_on_signal());
  return {};
}

Result<> Program::serve_pages(UniqueFd socket, admin::Admin::Access access) {
  CoreThread& first = *cores_[0];
  auto pages = [this](admin::Admin::Ask ask) {
    return ask.method == "POST" ? change(ask) : page(ask);
  };
  TRY(auto admin,
      admin::Admin::open(first.io.get_executor(), std::move(socket), access, std::move(pages)));
  admins_.push_back(std::move(admin));
  first.tasks.spawn(admins_.back()->run());
  return {};
}

bool Program::is_ready() const {
  return draining_ == 0 && (control_ ? control_->is_ready() : file_->is_ready());
}

Task<admin::Admin::Page> Program::page(admin::Admin::Ask ask) {
  admin::Admin::Page page;
  if (ask.path == "/metrics") {
    metrics_.set_access_log_dropped(access_log_->dropped());
    page = {200, "text/plain; version=0.0.4; charset=utf-8", metrics_.format()};
  } else if (ask.path == "/ready") {
    page.status = is_ready() ? 200 : 503;
    page.body = page.status == 200 ? "ready\n" : "no configuration is in force\n";
  } else if (ask.path == "/backends") {
    const auto& groups = control_ ? control_->groups() : file_->groups();
    page = {200, "application/json",
            health::describe_backends(groups, shared_, std::chrono::steady_clock::now())};
  } else if (ask.path == "/config") {
    page = {200, "application/json", control_ ? control_->describe() : file_->describe()};
  } else {
    page.body = "pages: /metrics /ready /config /backends\n";
  }
  co_return page;
}

// What only the unix socket serves.
Task<admin::Admin::Page> Program::change(admin::Admin::Ask ask) {
  admin::Admin::Page page;
  if (ask.path == "/reload" && file_) {
    const auto reloaded = co_await file_->reload();
    page.status = reloaded ? 200 : 422;
    page.body = (reloaded ? std::string("reloaded") : reloaded.error().text()) + "\n";
  } else if (ask.path == "/log-level") {
    const auto set = set_log_level(ask.query);
    page.status = set ? 200 : 422;
    page.body = (set ? std::string(ask.query) : set.error().text()) + "\n";
  } else {
    page.body = "to be changed: /reload /log-level?LEVEL\n";
  }
  co_return page;
}

Task<> Program::drain_core(CoreThread& core, Deadline deadline) {
  co_await asio::this_coro::throw_if_cancelled(false);
  // Nobody else has sockets that were bound here.
  const bool ours = file_ && handed_.empty();
  co_await core.worker->drain(
      deadline, ours ? listener::Listener::Queue::served : listener::Listener::Queue::left);
  asio::post(cores_[0]->io, [this] {
    if (--draining_ > 0) return;
    for (const auto& admin : admins_) admin->stop();
    if (hangups_) hangups_->cancel();
    if (control_) control_->stop();
    if (file_) file_->stop();
    checker_->stop();
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

Task<> Program::reload_on_signal() {
  co_await asio::this_coro::throw_if_cancelled(false);
  hangups_.emplace(co_await asio::this_coro::executor, SIGHUP);
  while (true) {
    const auto [ec, number] = co_await hangups_->async_wait(nothrow);
    (void)number;
    if (ec) co_return;
    (void)co_await file_->reload();  // it says itself how that went
  }
}

Result<> Program::run() {
  start_cores();
  checker_ =
      std::make_unique<health::Checker>(cores_[0]->io.get_executor(), shared_, random_seed());
  TRY_DO(edge_ ? start_file() : start_control());
  CoreThread& first = *cores_[0];
  first.tasks.spawn(checker_->run());
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
  app.add_option("--config", options.config,
                 "Run on its own by this YAML file (docs/proxy.md); SIGHUP reads it again");
  app.add_flag("--check", options.check, "Check the file and end: 0 if it is right");
  app.add_option("--id", options.id, "Name of this proxy, as heddled knows it");
  app.add_option("--control-socket", options.control_socket, "heddled's socket for proxies");
  app.add_option("--metrics-socket-name", options.metrics_socket_name,
                 "Which handed-over socket serves /metrics, /ready and /config")
      ->capture_default_str();
  app.add_option("--access-log", options.access_log.where,
                 "Where one line per request goes: a path, - or none")
      ->capture_default_str();
  app.add_option("--access-log-format", options.access_log.format,
                 "json, or a text with %{status} and the like: the names that JSON has")
      ->capture_default_str();
  app.add_option("--access-log-sample", options.access_log.sample,
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
      "With --config FILE it binds its listeners itself. With --id and --control-socket heddled\n"
      "configures it, and listening sockets are inherited: "
      "HEDDLE_PROXY_SOCKETS=\"name=fd,name=fd\";\n"
      "those that are added later are asked for at the control socket's path with .sockets added.\n"
      "Exit status: 0 after SIGTERM, 1 on failure, 2 for wrong usage.");
}

void add_admin_options(CLI::App& app, AdminOptions& options) {
  app.add_option("--socket", options.socket, "The proxy's admin.socket")->capture_default_str();
  app.add_option("COMMAND", options.command,
                 "reload, config, backends, ready, metrics or log-level")
      ->check(CLI::IsMember({"reload", "config", "backends", "ready", "metrics", "log-level"}))
      ->required();
  app.add_option("LEVEL", options.argument, "For log-level: debug, info, warn or error");
}

Result<> run_admin(const AdminOptions& options) {
  const bool changes = options.command == "reload" || options.command == "log-level";
  std::string target = "/" + options.command;
  if (!options.argument.empty()) target += "?" + options.argument;
  // Reading a file again waits for names that are resolved.
  constexpr std::chrono::seconds kPatience{120};
  TRY(const auto answer,
      admin::ask_proxy(options.socket, changes ? "POST" : "GET", target, kPatience));
  if (answer.status != 200) {
    std::string text = answer.body;
    while (text.ends_with('\n')) text.pop_back();
    return fail(Errc::invalid, text);
  }
  std::cout << answer.body;
  return {};
}

Result<> check_usage(const Options& options) {
  const bool controlled = !options.id.empty() || !options.control_socket.empty();
  if (!options.config.empty()) {
    if (!controlled) return {};
    return fail(Errc::invalid, "--config runs alone: leave --id and --control-socket out");
  }
  if (options.check) return fail(Errc::invalid, "--check needs --config FILE");
  if (!options.id.empty() && !options.control_socket.empty()) return {};
  return fail(Errc::invalid, "needs --config FILE, or --id and --control-socket; see --help");
}

Result<> run_program(const Options& options) {
  std::optional<config::Edge> edge;
  if (!options.config.empty()) {
    TRY(edge, config::load_edge(options.config));
    if (options.check) {
      std::cout << options.config << ": right\n";
      return {};
    }
    // The system's resolver gives up sooner than after half a minute.
    (void)::setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
  }
  TRY_DO(start_logging("heddle-proxy", options.log_level));
  const char* handed = ::getenv("HEDDLE_PROXY_SOCKETS");
  TRY(auto sockets, listener::parse_handed_sockets(handed ? handed : ""));
  if (!edge && sockets.empty()) {
    return fail(Errc::invalid,
                "no sockets: set HEDDLE_PROXY_SOCKETS to name=fd of listening descriptors");
  }
  TRY(auto access_log, telemetry::AccessLog::open(edge && edge->access_log ? *edge->access_log
                                                                           : options.access_log));
  Program program(options, std::move(edge), std::move(sockets), std::move(access_log));
  return program.run();
}

}  // namespace
}  // namespace heddle

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app("heddle-proxy: HTTP and TCP proxy of a Heddle node", "heddle-proxy");
  heddle::Options options;
  heddle::add_options(app, options);
  heddle::AdminOptions admin;
  CLI::App* asks = app.add_subcommand("admin", "Ask a running proxy over its admin socket");
  heddle::add_admin_options(*asks, admin);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!asks->parsed()) {
    if (const auto usage = heddle::check_usage(options); !usage) {
      std::cerr << "heddle-proxy: " << usage.error().text() << "\n";
      return 2;
    }
  }
  const auto result = asks->parsed() ? heddle::run_admin(admin) : heddle::run_program(options);
  if (result) return 0;
  std::cerr << "heddle-proxy: " << result.error().text() << "\n";
  return 1;
}
