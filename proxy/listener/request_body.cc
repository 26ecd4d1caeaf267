#include "proxy/listener/request_body.h"

#include <boost/asio/this_coro.hpp>

namespace heddle::listener {
namespace {

RequestBody::End end_of(const Error& error) {
  switch (error.code()) {
    case Errc::timeout:
      return RequestBody::End::timeout;
    case Errc::invalid:
      return RequestBody::End::malformed;
    default:
      return RequestBody::End::client_closed;
  }
}

}  // namespace

void RequestBody::start(const Settings& settings, std::chrono::milliseconds idle) {
  settings_ = &settings;
  pace_.idle = std::min(settings.body_idle, idle);
  pace_.grace = settings.body_grace;
  pace_.rate = settings.body_rate;
  end_ = End::running;
}

void RequestBody::relax(std::chrono::milliseconds idle) {
  relaxed_ = true;
  pace_.idle = idle;
}

Task<> RequestBody::copy(ClientStream& client, upstream::TargetStream& target,
                         std::chrono::milliseconds response_time) {
  co_await asio::this_coro::throw_if_cancelled(false);
  end_ = co_await copy_all(client, target);
  if (end_ == End::whole || end_ == End::target_closed) {
    target.expect_answer_by(after(response_time));
  } else {
    target.abort();
  }
}

Task<RequestBody::End> RequestBody::copy_all(ClientStream& client, upstream::TargetStream& target) {
  while (true) {
    const auto piece = client.peek_body();
    if (!piece) co_return end_of(piece.error());
    if (!piece->data.empty()) {
      pace_.bytes += piece->data.size();
      const auto written = co_await target.send_body(piece->data, after(settings_->idle_timeout));
      if (!written) co_return End::target_closed;
      client.take_body(piece->data.size());
    }
    if (piece->last) break;
    if (!piece->data.empty()) continue;
    const Deadline before = std::chrono::steady_clock::now();
    const auto waited = co_await client.wait_body(before + patience());
    pace_.waited += std::chrono::steady_clock::now() - before;
    if (waited) continue;
    const bool late = waited.error().code() == Errc::timeout;
    // relax() came while this wait was under way.
    if (late && std::chrono::steady_clock::now() < before + patience()) continue;
    co_return end_of(waited.error());
  }
  const auto written = co_await target.end_body(client.trailers(), after(settings_->idle_timeout));
  co_return written ? End::whole : End::target_closed;
}

}  // namespace heddle::listener
