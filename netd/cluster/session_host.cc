#include "netd/cluster/session_host.h"

#include <thread>

#include "common/observe/log.h"
#include "netd/api/status.h"
#include "netd/cluster/wire.h"

namespace heddle::cluster {
namespace {

constexpr std::chrono::seconds kCommitTime{5};
constexpr std::size_t kMaxAnswers = 256;  // that wait for a node which reports but does not read

}  // namespace

SessionHost::SessionHost(Registry& registry, Replica& replica, grpc::ServerContext& context,
                         SessionStream& stream, model::Id node, const model::Id& manager)
    : registry_(registry),
      replica_(replica),
      context_(context),
      stream_(stream),
      node_(std::move(node)),
      session_(manager + "-" + make_id()),
      heard_(std::chrono::steady_clock::now()) {
  replica_.subscribe(*this);
}

SessionHost::~SessionHost() {
  replica_.unsubscribe(*this);
}

grpc::Status SessionHost::run() {
  std::thread writer([this] { write_all(); });
  const grpc::Status status = read_all();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    wake_.notify_all();
  }
  writer.join();
  return status;
}

void SessionHost::check_silence() {
  const std::lock_guard lock(mutex_);
  const auto silent = std::chrono::steady_clock::now() - heard_;
  if (closing_ || busy_ || silent < kSilence) return;
  log_info("session_silent", {{"node", node_}});
  context_.TryCancel();
}

void SessionHost::poke() {
  const std::lock_guard lock(mutex_);
  dirty_ = true;
  wake_.notify_all();
}

grpc::Status SessionHost::read_all() {
  node::v1::SessionUp up;
  while (stream_.Read(&up)) {
    {
      const std::lock_guard lock(mutex_);
      heard_ = std::chrono::steady_clock::now();
      busy_ = true;
      if (removed_) {
        return api::to_status({Errc::denied, "this node was removed from the swarm"});
      }
    }
    Result<> taken;
    if (up.has_hello()) taken = begin(up.hello());
    if (up.has_report()) taken = take(up.report());
    if (!taken) {
      log_warn("session_failed", {{"node", node_}, {"error", taken.error()}});
      return api::to_status(taken.error());
    }
    const std::lock_guard lock(mutex_);
    heard_ = std::chrono::steady_clock::now();
    busy_ = false;
  }
  return {grpc::StatusCode::CANCELLED, "the session ended"};
}

Result<> SessionHost::begin(const node::v1::Hello& hello) {
  if (begun_) return fail(Errc::invalid, "a second hello in one session");
  std::optional<Registry::Report> report;
  if (hello.has_report()) {
    TRY(report, from_proto(hello.report()).during("hello"));
    report->whole = Registry::Whole::yes;
  }
  const Deadline deadline = after(kCommitTime);
  TRY(const auto outcome, registry_.begin_session(node_, session_, std::move(report), deadline));
  TRY_DO(replica_.wait_for(outcome.revision, deadline));
  TRY_DO(answer(0, outcome));
  const std::lock_guard lock(mutex_);
  sent_ = hello.revision();
  begun_ = true;
  dirty_ = true;
  wake_.notify_all();
  return {};
}

Result<> SessionHost::take(const node::v1::Report& report) {
  if (!begun_) return fail(Errc::invalid, "a report before the hello");
  TRY(Registry::Report changes, from_proto(report).during("report"));
  TRY(const auto outcome, registry_.report(node_, std::move(changes), after(kCommitTime)));
  return answer(report.number(), outcome);
}

Result<> SessionHost::answer(std::uint64_t number, const Registry::Outcome& outcome) {
  node::v1::SessionDown down;
  auto& answer = *down.mutable_answer();
  answer.set_number(number);
  for (const Registry::Refusal& each : outcome.refused) {
    auto& refusal = *answer.add_refused();
    refusal.set_endpoint(each.endpoint);
    refusal.set_code(api::to_status(each.error).error_code());
    refusal.set_text(each.error.text());
  }
  const std::lock_guard lock(mutex_);
  if (answers_.size() >= kMaxAnswers) {
    return fail(Errc::exhausted, "the node does not read the answers to its reports");
  }
  answers_.push_back(std::move(down));
  wake_.notify_all();
  return {};
}

bool SessionHost::began() {
  const std::lock_guard lock(mutex_);
  return begun_;
}

void SessionHost::write_all() {
  node::v1::SessionDown heartbeat;
  heartbeat.mutable_heartbeat();
  auto next_heartbeat = std::chrono::steady_clock::now() + kHeartbeat;
  std::unique_lock lock(mutex_);
  while (!closing_) {
    bool good = true;
    if (!answers_.empty()) {
      const node::v1::SessionDown answer = std::move(answers_.front());
      answers_.pop_front();
      lock.unlock();
      good = write(answer);
      lock.lock();
    } else if (begun_ && dirty_) {
      dirty_ = false;
      lock.unlock();
      good = in_swarm() ? write_state() : true;
      const bool gone = !in_swarm();
      lock.lock();
      removed_ = removed_ || gone;
    } else if (std::chrono::steady_clock::now() >= next_heartbeat) {
      lock.unlock();
      good = write(heartbeat);
      lock.lock();
      next_heartbeat = std::chrono::steady_clock::now() + kHeartbeat;
    } else {
      wake_.wait_until(lock, next_heartbeat);
    }
    if (!good) {
      context_.TryCancel();
      return;
    }
  }
}

bool SessionHost::write(const node::v1::SessionDown& message) {
  return stream_.Write(message);
}

bool SessionHost::in_swarm() const {
  bool in = false;
  replica_.read([&](const Objects& objects) { in = objects.nodes.contains(node_); });
  return in;
}

bool SessionHost::write_state() {
  auto update = sent_ == 0 ? std::nullopt : replica_.changes_since(sent_);
  const bool whole = !update;
  if (whole) update = replica_.everything();
  if (!whole && update->changes.empty() && synced_) {
    sent_ = update->revision;
    return true;
  }
  node::v1::SessionDown down;
  const auto reset = [&] {
    down.mutable_state()->Clear();
    down.mutable_state()->set_revision(update->revision);
    down.mutable_state()->set_whole(whole);
  };
  reset();
  std::size_t bytes = 0;
  for (const store::Change& change : update->changes) {
    *down.mutable_state()->add_items() = to_item(change);
    bytes += change.key.id.size() + (change.object ? change.object->payload.size() : 0) + 32;
    if (bytes < kStateBytes) continue;
    down.mutable_state()->set_more(true);
    if (!write(down)) return false;
    reset();
    bytes = 0;
  }
  if (!write(down)) return false;
  sent_ = update->revision;
  synced_ = true;
  return true;
}

}  // namespace heddle::cluster
