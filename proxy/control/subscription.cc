#include "proxy/control/subscription.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "common/async/task_group.h"
#include "common/observe/log.h"
#include "proxy/balance/random.h"
#include "proxy/control/socket_fetch.h"
#include "proxy/snapshot/decode.h"

namespace heddle::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{2000};
constexpr std::chrono::seconds kExpiryPause{5};
constexpr milliseconds kFetchBudget{2000};
constexpr std::size_t kMaxAsked = 256;
constexpr std::size_t kMaxToAsk = 8192;

}  // namespace

Subscription::Subscription(asio::any_io_executor executor, Options options,
                           telemetry::Metrics& metrics,
                           std::function<void(const ConfigEvent&)> publish)
    : options_(std::move(options)),
      metrics_(metrics),
      publish_(std::move(publish)),
      store_(std::exchange(options_.sockets, {})),
      pause_(executor),
      output_ready_(executor),
      expiry_(executor) {}

Task<> Subscription::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  balance::Random random(options_.seed);
  milliseconds pause = kFirstPause;
  bool reported = false;
  while (!stopping_) {
    Socket socket(executor);
    const asio::local::stream_protocol::endpoint path(options_.socket_path);
    const auto [ec] = co_await socket.async_connect(path, nothrow);
    Error error = Error::from_errno(ec.value(), "connect to " + options_.socket_path);
    heard_ = false;
    if (!ec) error = co_await converse(socket);
    if (stopping_) break;
    if (heard_) pause = kFirstPause;
    if (heard_ || !reported) {
      log_warn("control.lost", {{"error", error}, {"socket", options_.socket_path}});
      reported = true;
    }
    // Up to half of the pause is left to chance: all proxies of a host come back at once.
    const auto half = static_cast<std::uint64_t>(pause.count()) / 2;
    pause_.expires_after(pause - milliseconds(random.below(half + 1)));
    const auto [waited] = co_await pause_.async_wait(nothrow);
    (void)waited;
    pause = std::min(pause * 2, kLongestPause);
  }
}

void Subscription::stop() {
  stopping_ = true;
  pause_.cancel();
  expiry_.cancel();
  output_ready_.cancel();
  boost::system::error_code ignored;
  if (socket_) socket_->close(ignored);
}

Task<Error> Subscription::converse(Socket& socket) {
  call_.emplace("/heddle.proxy.v1.ProxyConfig/Subscribe");
  socket_ = &socket;
  asked_.clear();
  to_ask_.clear();
  call_->send(snapshot::encode_hello(options_.proxy_id, options_.version));
  for (const SocketAddr& destination : store_.destinations_in_use()) resolve(destination);

  TaskGroup writer(co_await asio::this_coro::executor);
  writer.spawn(write_output(socket));
  const auto on_message = [this](std::string_view bytes) { inbox_.emplace_back(bytes); };
  std::optional<Error> error;
  std::array<char, 8192> bytes;
  while (!error) {
    const auto [ec, n] = co_await socket.async_read_some(asio::buffer(bytes), nothrow);
    if (ec) {
      error = ec == asio::error::eof ? Error(Errc::unavailable, "heddled closed the connection")
                                     : Error::from_errno(ec.value(), "read from heddled");
      break;
    }
    const auto received = call_->receive({bytes.data(), n}, on_message);
    if (!received) error = received.error();
    output_ready_.cancel();
    while (!inbox_.empty()) {
      std::string message = std::move(inbox_.front());
      inbox_.pop_front();
      co_await receive_message(std::move(message));
    }
  }
  boost::system::error_code ignored;
  socket.close(ignored);
  socket_ = nullptr;
  output_ready_.cancel();
  co_await writer.join();
  call_.reset();
  set_connected(0);
  co_return *error;
}

Task<> Subscription::write_output(Socket& socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (socket_ == &socket) {
    const std::string output = call_->take_output();
    if (output.empty()) {
      output_ready_.expires_at(asio::steady_timer::time_point::max());
      const auto [ec] = co_await output_ready_.async_wait(nothrow);
      (void)ec;
      continue;
    }
    const auto [ec, n] = co_await asio::async_write(socket, asio::buffer(output), nothrow);
    (void)n;
    if (ec) {
      boost::system::error_code ignored;
      socket.close(ignored);  // the reader ends with it
      co_return;
    }
  }
}

void Subscription::send(std::string_view message) {
  if (!call_) return;
  call_->send(message);
  output_ready_.cancel();
}

void Subscription::resolve(const SocketAddr& destination) {
  if (!call_ || asked_.contains(destination)) return;
  if (asked_.size() >= kMaxAsked) {
    if (to_ask_.size() < kMaxToAsk) to_ask_.insert(destination);
    return;
  }
  asked_.insert(destination);
  to_ask_.erase(destination);
  send(snapshot::encode_resolve(destination));
}

void Subscription::set_connected(int connected) {
  if (connected_ == connected) return;
  connected_ = connected;
  metrics_.set_control_connected(connected);
  publish_(ControlChanged{connected});
}

void Subscription::publish_all(const std::vector<ConfigEvent>& events) {
  for (const ConfigEvent& event : events) publish_(event);
}

Task<Result<>> Subscription::fetch_sockets(const snapshot::Snapshot& snapshot) {
  for (const std::string& name : store_.missing_sockets(snapshot)) {
    SocketQuestion question;
    question.path = options_.socket_path + kSocketsSuffix;
    question.proxy_id = options_.proxy_id;
    question.name = name;
    auto socket = co_await fetch_socket(std::move(question), after(kFetchBudget));
    if (!socket) co_return std::unexpected(socket.error().during("socket " + name));
    log_info("socket.received", {{"name", name}});
    store_.add_socket(name, *std::move(socket));
  }
  co_return Result<>();
}

Task<> Subscription::receive_message(std::string bytes) {
  auto [revision, message] = snapshot::decode(bytes);
  const bool is_snapshot =
      message ? std::holds_alternative<snapshot::Snapshot>(*message) : revision != 0;
  if (message) {
    if (const auto* resolved = std::get_if<snapshot::Resolved>(&*message)) {
      asked_.erase(resolved->destination);
      if (!to_ask_.empty()) resolve(SocketAddr(*to_ask_.begin()));
    }
  }
  Result<std::vector<ConfigEvent>> events;
  Result<> fetched;
  if (!message) {
    fetched = std::unexpected(message.error());
  } else if (const auto* snapshot = std::get_if<snapshot::Snapshot>(&*message)) {
    fetched = co_await fetch_sockets(*snapshot);
  }
  if (fetched) {
    events = store_.apply(*std::move(message), std::chrono::steady_clock::now());
  } else {
    events = std::unexpected(fetched.error());
  }
  if (!heard_) log_info("control.connected", {{"socket", options_.socket_path}});
  heard_ = true;
  if (events) {
    publish_all(*events);
  } else {
    metrics_.count_rejected_config();
    log_error("config.refused", {{"revision", revision}, {"error", events.error()}});
  }
  if (is_snapshot) {
    send(snapshot::encode_ack(revision, events ? std::string_view() : events.error().text()));
    if (events) {
      applied_ = true;
      revision_ = revision;
      metrics_.set_revision(revision);
      log_info("config.applied", {{"revision", revision}});
    }
  }
  set_connected(1);
  arm_expiry();
}

void Subscription::arm_expiry() {
  const auto next = store_.next_expiry();
  if (!next || stopping_) return;
  expiry_.expires_at(std::max(*next, std::chrono::steady_clock::now() + kExpiryPause));
  expiry_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) on_expiry();
  });
}

void Subscription::on_expiry() {
  const auto expired = store_.expire(std::chrono::steady_clock::now());
  publish_all(expired.events);
  for (const std::string& group : expired.groups) send(snapshot::encode_release(group));
  arm_expiry();
}

}  // namespace heddle::control
