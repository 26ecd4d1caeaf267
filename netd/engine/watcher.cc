#include "netd/engine/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "common/observe/log.h"

namespace heddle::engine {
namespace {

using std::chrono::steady_clock;

// Events of one moment are read together, that a container is looked at once for all of them.
constexpr int kMaxEventsTogether = 256;

}  // namespace

Result<Sandbox> enter(Client& client, const Container& container, Deadline deadline) {
  TRY(Sandbox sandbox, open_sandbox(container.pid));
  TRY(const Container now, client.inspect(container.id, deadline));
  if (!now.running || now.pid != container.pid) {
    return fail(Errc::conflict, "it ended or was started again meanwhile; try again");
  }
  return sandbox;
}

Result<std::unique_ptr<Watcher>> Watcher::start(Engine engine, Pace pace,
                                                Engines::OnSighting on_sighting) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd end(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake || !end) return fail_errno(errno, "follow containers");
  return std::unique_ptr<Watcher>(new Watcher(std::move(engine), pace, std::move(on_sighting),
                                              std::move(wake), std::move(end)));
}

Watcher::Watcher(Engine engine, Pace pace, Engines::OnSighting on_sighting, UniqueFd wake,
                 UniqueFd end)
    : pace_(pace),
      on_sighting_(std::move(on_sighting)),
      wake_(std::move(wake)),
      end_(std::move(end)),
      client_(std::move(engine), end_.get()),
      thread_([this] { run(); }) {}

Watcher::~Watcher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ::eventfd_write(end_.get(), 1);
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void Watcher::follow(std::set<std::string> containers) {
  const std::lock_guard lock(mutex_);
  wishes_ = std::move(containers);
  ::eventfd_write(wake_.get(), 1);
}

std::optional<std::string> Watcher::trouble() {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

bool Watcher::is_ending() {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void Watcher::take_wishes() {
  eventfd_t count = 0;
  ::eventfd_read(wake_.get(), &count);
  const std::lock_guard lock(mutex_);
  if (const auto wishes = std::exchange(wishes_, std::nullopt)) agenda_.follow(*wishes);
  if (agenda_.empty()) trouble_.reset();
}

void Watcher::wait(std::chrono::milliseconds delay) {
  pollfd fd{wake_.get(), POLLIN, 0};
  ::poll(&fd, 1, static_cast<int>(delay.count()));
}

// Once for each time that it begins and ends.
void Watcher::report(const std::optional<Error>& error) {
  const std::lock_guard lock(mutex_);
  const std::string name = client_.engine().name();
  if (error && !trouble_) log_warn("engine.unavailable", {{"engine", name}, {"error", *error}});
  if (!error && trouble_) log_info("engine.available", {{"engine", name}});
  trouble_.reset();
  if (error) trouble_ = error->text();
}

void Watcher::run() {
  auto delay = pace_.first_retry;
  for (;;) {
    take_wishes();
    if (is_ending()) return;
    if (agenda_.empty()) {
      wait(std::chrono::hours(1));
      continue;
    }
    const auto began = steady_clock::now();
    const auto ended = follow_while_it_lasts();
    if (is_ending()) return;
    if (ended) continue;
    report(ended.error());
    if (steady_clock::now() - began > pace_.last_retry) delay = pace_.first_retry;
    wait(delay);
    delay = std::min(delay * 2, pace_.last_retry);
  }
}

Result<> Watcher::follow_while_it_lasts() {
  // What happens from here on is told, so that what is looked at afterwards cannot be missed. An
  // engine subscribes only after it has accepted: hence `since`, at the first time too.
  if (since_.empty()) since_ = std::to_string(std::time(nullptr) - 1);
  TRY(const auto events, client_.events(since_, after(pace_.budget)));
  agenda_.look_at_all();
  auto next_audit = steady_clock::now() + pace_.audit;
  bool reported = false;
  for (;;) {
    take_wishes();
    if (agenda_.empty() || is_ending()) return {};
    TRY_DO(look());
    if (!std::exchange(reported, true)) report(std::nullopt);
    const auto next = agenda_.next().value_or(next_audit);
    TRY_DO(read_events(*events, std::min(next, next_audit)));
    if (steady_clock::now() < next_audit) continue;
    TRY(const auto all, client_.list(after(pace_.budget)));
    agenda_.listed(all);
    next_audit = steady_clock::now() + pace_.audit;
  }
}

Result<> Watcher::read_events(LineStream& events, Deadline until) {
  std::string line;
  for (int i = 0; i < kMaxEventsTogether; ++i) {
    const auto got = events.next(line, i == 0 ? until : Deadline{}, wake_.get());
    if (!got) return std::unexpected(client_.complain(got.error()));
    if (*got == LineStream::Got::nothing) return {};
    const auto event = parse_event(line);
    if (!event) return std::unexpected(client_.complain(event.error().during("an event")));
    if (!*event) continue;
    if (!(*event)->time.empty()) since_ = (*event)->time;
    agenda_.happened(**event, steady_clock::now());
  }
  return {};
}

Result<> Watcher::look() {
  for (const std::string& id : agenda_.due(steady_clock::now())) TRY_DO(look_at(id));
  return {};
}

// One container that cannot be looked at does not keep the others from it; an engine that does not
// answer ends the connection.
Result<> Watcher::look_at(const std::string& id) {
  const auto now = steady_clock::now();
  Sighting seen{.kind = client_.engine().kind, .id = id, .container = {}, .sandbox = {}};
  const auto failed = [&](const Error& error) -> Result<> {
    agenda_.failed(id, now);
    const bool gone = error.code() == Errc::unavailable || error.code() == Errc::timeout ||
                      error.code() == Errc::cancelled || error.code() == Errc::denied;
    if (gone) return std::unexpected(error);
    log_warn("engine.look_failed", {{"container", id}, {"error", error}});
    return {};
  };
  auto container = client_.inspect(id, after(pace_.budget));
  if (!container && container.error().code() != Errc::not_found) return failed(container.error());
  if (container) seen.container = *container;
  if (container && container->running) {
    auto sandbox = enter(client_, *container, after(pace_.budget));
    if (!sandbox) {
      const Errc code = sandbox.error().code();
      // It ends or starts just now, of which we shall hear; if not, we look again.
      if (code == Errc::conflict || code == Errc::not_found)
        return agenda_.failed(id, now), Result<>();
      return failed(sandbox.error());
    }
    seen.sandbox = std::make_shared<const Sandbox>(*std::move(sandbox));
  }
  agenda_.saw(id, seen.container);
  seen.ending = agenda_.is_ending(id, now);
  on_sighting_(std::move(seen));
  return {};
}

}  // namespace heddle::engine
