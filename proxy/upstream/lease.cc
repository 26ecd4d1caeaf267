#include "proxy/upstream/lease.h"

#include <chrono>

namespace heddle::upstream {

Lease::Lease(std::shared_ptr<Target> target) : target_(std::move(target)) {
  ++target_->load_.in_flight;
  target_->uses_.push_back(*this);
}

Lease::~Lease() {
  --target_->load_.in_flight;
}

void Lease::target_gone() {
  if (connection_) connection_->stream.abort();
  if (http2_) http2_->abort();
}

void Lease::hold(balance::Slot of_group, balance::Slot of_all) {
  group_slot_ = std::move(of_group);
  slot_ = std::move(of_all);
}

bool Lease::has_shared() const {
  return target_->find_shared() != nullptr;
}

bool Lease::reuse() {
  connection_ = target_->take_idle();
  reused_ = connection_ != nullptr;
  if (reused_) target_->metrics_->reused();
  return reused_;
}

Task<Result<>> Lease::connect(const asio::any_io_executor& executor, Deadline deadline) {
  connection_ = std::make_unique<Connection>(io::Stream::Socket(executor), target_->deadlines_);
  connection_->group_slot = std::move(group_slot_);
  connection_->slot = std::move(slot_);
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

Task<Result<>> Lease::share(TaskGroup& connections, const asio::any_io_executor& executor,
                            const http2::Limits& limits, Deadline deadline) {
  std::shared_ptr<Http2Connection> shared = target_->find_shared();
  const bool fresh = !shared;
  if (fresh) {
    shared = std::make_shared<Http2Connection>(executor, target_->deadlines_, limits);
    shared->hold(std::move(group_slot_), std::move(slot_));
    target_->add_shared(shared);
    connections.spawn(Http2Connection::run(shared, target_->endpoint_, deadline));
  } else {
    target_->metrics_->reused();
  }
  reused_ = shared->is_open();
  http2_ = std::make_unique<Http2Stream>(shared, executor, target_->deadlines_);
  stream_ = http2_.get();
  auto ready = co_await http2_->wait_open(deadline);
  if (ready) {
    if (fresh) target_->metrics_->connected();
    target_->forget_failure();
    co_return ready;
  }
  if (fresh) target_->metrics_->connect_failed();
  if (!target_->is_gone() && ready.error().code() != Errc::cancelled) {
    target_->remember_failure(std::chrono::steady_clock::now());
  }
  co_return ready;
}

void Lease::set_patience(Patience patience) {
  if (http2_) {
    if (patience == Patience::long_body) http2_->be_patient();
    return;
  }
  const bool patient = patience == Patience::long_body;
  if (connection_->patient == patient) return;
  connection_->patient = patient;
  connection_->stream.set_user_timeout(patient ? std::chrono::milliseconds(0) : kBriefPatience);
}

void Lease::give_back() {
  if (http2_) return;
  ++connection_->requests;
  if (http1_->is_reusable() && !connection_->stream.aborted()) {
    http1_.reset();
    stream_ = nullptr;
    target_->put_idle(std::move(connection_));
  }
}

}  // namespace heddle::upstream
