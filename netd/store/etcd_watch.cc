#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/observe/log.h"
#include "netd/store/etcd_client.h"
#include "netd/store/record.h"

namespace heddle::store {
namespace {

using etcdserverpb::Event;
using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};

Result<Change> change_of(const EtcdKeys& keys, const Event& event) {
  const auto key = keys.parse_object(event.kv().key());
  if (!key) return fail(Errc::internal, "etcd sent a change of an unknown key");
  Change change{static_cast<Revision>(event.kv().mod_revision()), *key, std::nullopt};
  if (event.type() == Event::PUT) {
    TRY(change.object, decode_record(*key, change.revision, event.kv().value()));
  }
  return change;
}

// Follows one watch over connections until it is stopped or etcd says that it cannot go on.
class WatchLoop {
 public:
  WatchLoop(std::shared_ptr<EtcdClient> client, Revision from, Store::OnChange on_change)
      : client_(std::move(client)), seen_(from), on_change_(std::move(on_change)) {}

  void run();
  void stop();

 private:
  enum class Next { again, end };
  using Stream = grpc::ClientReaderWriter<WatchRequest, WatchResponse>;

  Next follow(grpc::ClientContext& context);
  Next handle(const WatchResponse& response);
  Next fail_watch(Error error);
  bool pause(std::chrono::milliseconds length);
  bool begin(grpc::ClientContext& context);
  bool stopped();

  std::shared_ptr<EtcdClient> client_;
  Revision seen_;
  Store::OnChange on_change_;
  std::chrono::milliseconds pause_ = kFirstPause;

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  grpc::ClientContext* current_ = nullptr;  // to be cancelled by stop()
};

void WatchLoop::run() {
  for (;;) {
    grpc::ClientContext context;
    if (!begin(context)) return;
    const Next next = follow(context);
    {
      const std::lock_guard lock(mutex_);
      current_ = nullptr;
    }
    if (next == Next::end || !pause(pause_)) return;
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
}

bool WatchLoop::begin(grpc::ClientContext& context) {
  prepare(context);
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  current_ = &context;
  return true;
}

WatchLoop::Next WatchLoop::follow(grpc::ClientContext& context) {
  const std::unique_ptr<Stream> stream = client_->watch->Watch(&context);
  WatchRequest request;
  auto& create = *request.mutable_create_request();
  const auto range = client_->keys.objects("");
  create.set_key(range.begin);
  create.set_range_end(range.end);
  create.set_start_revision(static_cast<std::int64_t>(seen_ + 1));
  create.set_progress_notify(true);
  WatchResponse response;
  Next next = Next::again;
  if (stream->Write(request)) {
    while (next == Next::again && stream->Read(&response)) {
      pause_ = kFirstPause;
      if (response.canceled() && response.compact_revision() == 0) break;  // no leader, for one
      next = handle(response);
    }
  }
  context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (next == Next::again && !stopped() && status.error_code() != grpc::CANCELLED) {
    log_debug("store_watch_lost", {{"error", status.error_message()}});
  }
  return next;
}

WatchLoop::Next WatchLoop::handle(const WatchResponse& response) {
  if (response.compact_revision() != 0) {
    return fail_watch({Errc::conflict, "changes after revision " + std::to_string(seen_) +
                                           " are no longer known; list the objects again"});
  }
  std::vector<Change> changes;
  for (const Event& event : response.events()) {
    auto change = change_of(client_->keys, event);
    if (!change) return fail_watch(std::move(change).error());
    if (!changes.empty() && changes.back().revision != change->revision) {
      if (stopped()) return Next::end;
      seen_ = changes.back().revision;
      on_change_(std::exchange(changes, {}));
    }
    changes.push_back(std::move(*change));
  }
  if (changes.empty()) {
    // Progress: nothing up to the header's revision is of interest, so a later reconnection need
    // not ask for what may be compacted by then.
    if (!response.created()) {
      seen_ = std::max(seen_, static_cast<Revision>(response.header().revision()));
    }
    return Next::again;
  }
  if (stopped()) return Next::end;
  seen_ = changes.back().revision;
  on_change_(std::move(changes));
  return stopped() ? Next::end : Next::again;
}

WatchLoop::Next WatchLoop::fail_watch(Error error) {
  if (!stopped()) on_change_(std::unexpected(std::move(error)));
  return Next::end;
}

bool WatchLoop::stopped() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool WatchLoop::pause(std::chrono::milliseconds length) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, length, [&] { return stopping_; });
}

void WatchLoop::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (current_ != nullptr) current_->TryCancel();
  stop_.notify_all();
}

class EtcdWatch final : public Store::Watch {
 public:
  explicit EtcdWatch(std::shared_ptr<WatchLoop> loop)
      : loop_(std::move(loop)), thread_([kept = loop_] { kept->run(); }) {}
  ~EtcdWatch() override {
    loop_->stop();
    // A callback may drop its own watch: the loop then ends behind it, owned by its thread.
    if (std::this_thread::get_id() == thread_.get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  std::shared_ptr<WatchLoop> loop_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Store::Watch> watch_etcd(std::shared_ptr<EtcdClient> client, Revision from,
                                         Store::OnChange on_change) {
  return std::make_unique<EtcdWatch>(
      std::make_shared<WatchLoop>(std::move(client), from, std::move(on_change)));
}

}  // namespace heddle::store
