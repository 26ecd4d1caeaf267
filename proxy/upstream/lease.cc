#include "proxy/upstream/lease.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

namespace heddle::upstream {
namespace {

constexpr int kUserTimeoutMs = 5000;

}  // namespace

Lease::Lease(std::shared_ptr<Target> target) : target_(std::move(target)) {
  ++target_->load_.in_flight;
  target_->uses_.push_back(*this);
}

Lease::~Lease() {
  --target_->load_.in_flight;
}

void Lease::target_gone() {
  if (connection_) connection_->stream.abort();
}

bool Lease::reuse() {
  connection_ = target_->take_idle();
  reused_ = connection_ != nullptr;
  if (reused_) target_->metrics_->reused();
  return reused_;
}

Task<Result<>> Lease::connect(const asio::any_io_executor& executor, Deadline deadline) {
  connection_ = std::make_unique<Connection>(io::Stream::Socket(executor), target_->deadlines_);
  reused_ = false;
  auto connected = co_await connection_->stream.connect(target_->endpoint_, deadline);
  if (!connected) {
    target_->metrics_->connect_failed();
    if (!target_->is_gone()) target_->remember_failure(std::chrono::steady_clock::now());
    co_return connected;
  }
  connection_->stream.tune();
  target_->metrics_->connected();
  target_->forget_failure();
  co_return Result<>();
}

void Lease::set_patience(Patience patience) {
  const bool patient = patience == Patience::long_body;
  if (connection_->patient == patient) return;
  connection_->patient = patient;
  const int value = patient ? 0 : kUserTimeoutMs;
  (void)::setsockopt(connection_->stream.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

void Lease::give_back() {
  ++connection_->requests;
  if (http1_->is_reusable() && !connection_->stream.aborted()) {
    http1_.reset();
    stream_ = nullptr;
    target_->put_idle(std::move(connection_));
  }
}

}  // namespace heddle::upstream
