#include "netd/cluster/link.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/api/model.pb.h"
#include "netd/api/status.h"
#include "netd/cluster/address_plan.h"
#include "netd/cluster/node_client.h"
#include "netd/cluster/report_log.h"
#include "netd/cluster/session_host.h"
#include "netd/cluster/swarm_copy.h"

namespace heddle::cluster {
namespace {

using namespace node::v1;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kDeniedPause{5};
constexpr std::chrono::milliseconds kConnectTime{1500};
constexpr std::chrono::seconds kRetryRefused{5};

using Stream = grpc::ClientReaderWriter<SessionUp, SessionDown>;

void put_report(const ReportLog::Changes& changes, Report& out) {
  out.set_epoch(changes.epoch);
  if (changes.addresses.own) out.set_address(changes.addresses.own->format());
  if (changes.addresses.data) out.set_data_address(changes.addresses.data->format());
  out.set_whole(changes.whole);
  for (const model::Endpoint& each : changes.put) api::to_proto(each, *out.add_endpoints());
  for (const model::Id& id : changes.removed) out.add_removed(id);
}

class LinkImpl final : public Link {
 public:
  LinkImpl(Settings settings, Events events);
  ~LinkImpl() override;

  void report(NodeReport report) override;
  std::string save() const override;
  std::vector<std::string> managers() const override;
  bool up() const override;
  void retry() override;
  Result<model::AddressBlock> claim_block(const model::Id& network, Deadline deadline) override;
  Result<> release_block(const model::AddressBlock& block, Deadline deadline) override;
  Result<> leave(Deadline deadline) override;
  Result<Promotion> promote(Deadline deadline) override;
  Result<std::string> renew(const std::string& request_pem, Deadline deadline) override;

 private:
  void run();
  // One session from hello to its end. What it says is why it ended.
  Error serve(const std::string& target);
  void read_all(Stream& stream);
  Result<> take(const SessionDown& down);
  void take_answer(const ReportAnswer& answer);
  void write_all(Stream& stream, grpc::ClientContext& context);
  bool write_hello(Stream& stream);
  std::shared_ptr<grpc::Channel> connect(const std::string& target);
  bool pause(steady_clock::duration length);
  void set_up(bool up);

  enum class Ask { any, others };  // others: not this node's own API
  template <class Call>
  Result<> call(Ask ask, Deadline deadline, Call call);
  std::vector<std::string> askable(Ask ask) const;
  std::shared_ptr<grpc::Channel> channel_to(const std::string& target);
  std::shared_ptr<grpc::Channel> dial_or_share(const std::string& target);

  const Settings settings_;
  const Events events_;
  const Credentials credentials_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool retry_ = false;
  SwarmCopy copy_;
  ReportLog reports_;
  std::vector<std::string> managers_;
  bool up_ = false;
  // The session at hand.
  grpc::ClientContext* context_ = nullptr;
  bool closing_ = false;
  bool dirty_ = false;  // a report waits
  steady_clock::time_point heard_;
  std::shared_ptr<grpc::Channel> channel_;  // of the session, for calls too
  std::string channel_target_;

  std::thread thread_;
};

LinkImpl::LinkImpl(Settings settings, Events events)
    : settings_(std::move(settings)),
      events_(std::move(events)),
      credentials_{settings_.root_pem, settings_.certificate_pem, settings_.key_pem},
      copy_(settings_.node),
      managers_(settings_.managers) {
  if (!settings_.last_state.empty()) {
    if (auto loaded = copy_.load(settings_.swarm, settings_.last_state); loaded) {
      events_.on_state(copy_.state());
    } else {
      log_warn("last_state_ignored", {{"error", loaded.error()}});
    }
  }
  thread_ = std::thread([this] { run(); });
}

LinkImpl::~LinkImpl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    closing_ = true;
    if (context_ != nullptr) context_->TryCancel();
    wake_.notify_all();
  }
  thread_.join();
}

void LinkImpl::report(NodeReport report) {
  const std::lock_guard lock(mutex_);
  if (reports_.set(std::move(report))) {
    // What was connected from an address that is gone only times out.
    channel_.reset();
    retry_ = true;
    closing_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  dirty_ = true;
  wake_.notify_all();
}

std::string LinkImpl::save() const {
  const std::lock_guard lock(mutex_);
  return copy_.known() ? copy_.save(settings_.swarm) : std::string();
}

std::vector<std::string> LinkImpl::managers() const {
  const std::lock_guard lock(mutex_);
  return managers_;
}

bool LinkImpl::up() const {
  const std::lock_guard lock(mutex_);
  return up_;
}

void LinkImpl::retry() {
  const std::lock_guard lock(mutex_);
  retry_ = true;
  if (channel_) grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  wake_.notify_all();
}

void LinkImpl::set_up(bool up) {
  {
    const std::lock_guard lock(mutex_);
    if (up_ == up) return;
    up_ = up;
  }
  events_.on_session(up);
}

bool LinkImpl::pause(steady_clock::duration length) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, length, [&] { return stopping_ || retry_; });
  retry_ = false;
  return !stopping_;
}

// Each node begins elsewhere in the list, so that managers share the sessions.
void LinkImpl::run() {
  auto length = kFirstPause;
  std::string last_error;
  for (std::size_t turn = stable_hash(settings_.node);; ++turn) {
    const std::vector<std::string> known = managers();
    if (known.empty()) return;
    const std::string target = known[turn % known.size()];
    const Error why = serve(target);
    const bool was_up = up();
    set_up(false);
    if (was_up) length = kFirstPause;
    if (was_up || why.text() != last_error) {
      log_info("session_ended", {{"manager", target}, {"reason", why}});
      last_error = why.text();
    }
    const bool denied = why.code() == Errc::denied;
    if (!pause(denied ? steady_clock::duration(kDeniedPause) : length)) return;
    // Longer when all of them were asked.
    if (turn % known.size() == 0) length = std::min(length * 2, kLongestPause);
  }
}

// Waits on the channel itself: libgrpc gets on with connecting only while somebody does.
std::shared_ptr<grpc::Channel> LinkImpl::connect(const std::string& target) {
  auto channel = channel_to(target);
  const Deadline last = after(kConnectTime);
  while (steady_clock::now() < last) {
    const auto slice = std::chrono::system_clock::now() + std::chrono::milliseconds(100);
    if (channel->WaitForConnected(slice)) return channel;
    const std::lock_guard lock(mutex_);
    if (stopping_) return nullptr;
    // Refused: another one is asked sooner than this one again.
    const bool refused = channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE;
    if (refused && managers_.size() > 1) return nullptr;
  }
  return nullptr;
}

Error LinkImpl::serve(const std::string& target) {
  const auto channel = connect(target);
  if (!channel) return {Errc::unavailable, "no manager answers at " + target};
  const auto stub = NodeApi::NewStub(channel);
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return {Errc::cancelled, "stopping"};
    context_ = &context;
    closing_ = false;
    heard_ = steady_clock::now();
    copy_.reset_update();
  }
  const std::unique_ptr<Stream> stream = stub->Session(&context);
  std::thread writer([&] { write_all(*stream, context); });
  read_all(*stream);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    context_ = nullptr;
    wake_.notify_all();
  }
  context.TryCancel();
  writer.join();
  const grpc::Status status = stream->Finish();
  if (status.ok() || status.error_code() == grpc::CANCELLED) {
    return {Errc::unavailable, "the session broke"};
  }
  return api::from_status(status);
}

void LinkImpl::read_all(Stream& stream) {
  SessionDown down;
  while (stream.Read(&down)) {
    {
      const std::lock_guard lock(mutex_);
      heard_ = steady_clock::now();
    }
    if (auto taken = take(down); !taken) {
      log_error("state_refused", {{"error", taken.error()}});
      return;
    }
  }
}

Result<> LinkImpl::take(const SessionDown& down) {
  if (down.has_answer()) take_answer(down.answer());
  if (!down.has_state()) return {};
  SwarmState state;
  {
    const std::lock_guard lock(mutex_);
    TRY(const bool complete, copy_.apply(down.state()));
    if (!complete) return {};
    state = copy_.state();
    const auto fresh = copy_.managers();
    if (!fresh.empty()) managers_ = fresh;
  }
  events_.on_state(std::move(state));
  events_.on_dirty();
  set_up(true);
  return {};
}

void LinkImpl::take_answer(const ReportAnswer& answer) {
  for (const Refusal& refusal : answer.refused()) {
    {
      const std::lock_guard lock(mutex_);
      reports_.refused(refusal.endpoint());
    }
    const Error error =
        api::from_status({static_cast<grpc::StatusCode>(refusal.code()), refusal.text()});
    log_warn("endpoint_refused", {{"endpoint", refusal.endpoint()}, {"error", error}});
    events_.on_refused(refusal.endpoint(), error);
  }
}

bool LinkImpl::write_hello(Stream& stream) {
  SessionUp up;
  {
    const std::lock_guard lock(mutex_);
    up.mutable_hello()->set_revision(copy_.revision());
    reports_.begin_session();
    const auto changes = reports_.take_changes();
    if (changes) put_report(*changes, *up.mutable_hello()->mutable_report());
    dirty_ = false;
  }
  return stream.Write(up);
}

void LinkImpl::write_all(Stream& stream, grpc::ClientContext& context) {
  bool good = write_hello(stream);
  std::uint64_t number = 0;
  auto next_heartbeat = steady_clock::now() + kHeartbeat;
  auto next_retry = steady_clock::now() + kRetryRefused;
  std::unique_lock lock(mutex_);
  while (good && !closing_) {
    const auto now = steady_clock::now();
    if (now - heard_ > kSilence) break;
    if (now >= next_retry) {
      next_retry = now + kRetryRefused;
      reports_.retry_refused();
      dirty_ = true;
    }
    SessionUp up;
    if (dirty_) {
      dirty_ = false;
      const auto changes = reports_.take_changes();
      if (!changes) continue;
      up.mutable_report()->set_number(++number);
      put_report(*changes, *up.mutable_report());
    } else if (now >= next_heartbeat) {
      up.mutable_heartbeat();
    } else {
      wake_.wait_until(lock, std::min({next_heartbeat, next_retry, heard_ + kSilence}));
      continue;
    }
    next_heartbeat = now + kHeartbeat;
    lock.unlock();
    good = stream.Write(up);
    lock.lock();
  }
  lock.unlock();
  context.TryCancel();
}

std::shared_ptr<grpc::Channel> LinkImpl::channel_to(const std::string& target) {
  const std::lock_guard lock(mutex_);
  if (!channel_ || channel_target_ != target) {
    channel_ = dial(target, credentials_);
    channel_target_ = target;
  }
  return channel_;
}

// The managers to ask, the one of the session first.
std::vector<std::string> LinkImpl::askable(Ask ask) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> targets = managers_;
  if (ask == Ask::others) std::erase(targets, settings_.address);
  const auto present = std::ranges::find(targets, channel_target_);
  if (present != targets.end()) std::iter_swap(targets.begin(), present);
  return targets;
}

// Asks one manager after the other until one answers other than `unavailable`; all of them again
// while none is there at all.
template <class Call>
Result<> LinkImpl::call(Ask ask, Deadline deadline, Call call) {
  Error last(Errc::unavailable, "this node knows no other manager");
  for (;;) {
    const std::vector<std::string> targets = askable(ask);
    bool answered = targets.empty();
    for (const std::string& target : targets) {
      const auto channel = dial_or_share(target);
      const auto stub = NodeApi::NewStub(channel);
      grpc::ClientContext context;
      context.set_wait_for_ready(targets.size() == 1);
      set_deadline(context, deadline);
      const grpc::Status status = call(*stub, context);
      if (status.ok()) return {};
      last = api::from_status(status);
      const bool there = channel->GetState(false) == GRPC_CHANNEL_READY;
      answered = answered || there;
      const bool silent = last.code() == Errc::timeout || last.code() == Errc::unavailable;
      if (!there && silent) last = {Errc::unavailable, "no manager answers at " + target};
      if (last.code() != Errc::unavailable) return std::unexpected(last);
    }
    if (answered || steady_clock::now() + kFirstPause >= deadline) return std::unexpected(last);
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kFirstPause, [&] { return stopping_; })) return std::unexpected(last);
  }
}

// The session's channel where it leads there.
std::shared_ptr<grpc::Channel> LinkImpl::dial_or_share(const std::string& target) {
  {
    const std::lock_guard lock(mutex_);
    if (channel_ && channel_target_ == target) return channel_;
  }
  return dial(target, credentials_);
}

Result<model::AddressBlock> LinkImpl::claim_block(const model::Id& network, Deadline deadline) {
  model::v1::AddressBlock reply;
  TRY_DO(call(Ask::any, deadline, [&](NodeApi::Stub& stub, grpc::ClientContext& context) {
    ClaimBlockRequest request;
    request.set_network(network);
    return stub.ClaimBlock(&context, request, &reply);
  }));
  return api::from_proto(reply);
}

Result<> LinkImpl::release_block(const model::AddressBlock& block, Deadline deadline) {
  return call(Ask::any, deadline, [&](NodeApi::Stub& stub, grpc::ClientContext& context) {
    model::v1::AddressBlock request;
    api::to_proto(block, request);
    ReleaseBlockReply reply;
    return stub.ReleaseBlock(&context, request, &reply);
  });
}

Result<> LinkImpl::leave(Deadline deadline) {
  return call(Ask::others, deadline, [&](NodeApi::Stub& stub, grpc::ClientContext& context) {
    LeaveReply reply;
    return stub.Leave(&context, LeaveRequest(), &reply);
  });
}

Result<Link::Promotion> LinkImpl::promote(Deadline deadline) {
  PromoteReply reply;
  TRY_DO(call(Ask::others, deadline, [&](NodeApi::Stub& stub, grpc::ClientContext& context) {
    return stub.Promote(&context, PromoteRequest(), &reply);
  }));
  return Promotion{{reply.root_key(), reply.etcd_root(), reply.etcd_root_key()},
                   reply.initial_cluster()};
}

Result<std::string> LinkImpl::renew(const std::string& request_pem, Deadline deadline) {
  RenewReply reply;
  TRY_DO(call(Ask::others, deadline, [&](NodeApi::Stub& stub, grpc::ClientContext& context) {
    RenewRequest request;
    request.set_certificate_request(request_pem);
    return stub.Renew(&context, request, &reply);
  }));
  return reply.certificate();
}

}  // namespace

std::unique_ptr<Link> Link::start(Settings settings, Events events) {
  return std::make_unique<LinkImpl>(std::move(settings), std::move(events));
}

}  // namespace heddle::cluster
