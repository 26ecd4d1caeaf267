#include "dataplane/netlink/shape.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <limits>
#include <string>

#include "dataplane/netlink/qdisc.h"

namespace heddle::netlink {
namespace {

constexpr std::uint32_t kDelayHandle = 0x48450000;  // majors
constexpr std::uint32_t kRateHandle = 0x48460000;
constexpr std::uint32_t kQueueHandle = 0x48470000;
constexpr std::uint32_t kOnlyClass = 1;  // of both, minor

// What a late timer may catch up with: 4 ms of the rate, and two frames at low ones.
std::uint32_t burst_bytes(const Shape& shape) {
  constexpr std::uint64_t kHeaderBytes = 18;
  const std::uint64_t bytes =
      std::max<std::uint64_t>(shape.rate / 8 / 250, 2 * (shape.mtu + kHeaderBytes));
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(bytes, std::numeric_limits<std::int32_t>::max()));
}

// netem's options are its struct with the attributes behind it, in one attribute.
Message delay_message(IfIndex link, const Shape& shape) {
  Message message = put_qdisc({link, TC_H_ROOT, kDelayHandle}, "netem");
  tc_netem_qopt values{};
  values.limit = shape.limit;
  {
    const Message::Nest options(message, TCA_OPTIONS);
    message.header(values);
    message.u64(TCA_NETEM_LATENCY64, static_cast<std::uint64_t>(shape.delay.count()) * 1000);
  }
  return message;
}

Message rate_message(IfIndex link, std::uint32_t parent, const Shape& shape) {
  // The limit is of the queue that a new bucket makes for itself, and of ours when this is changed.
  return put_token_bucket({link, parent, kRateHandle},
                          {.rate = std::max<std::uint64_t>(shape.rate / 8, 1),
                           .burst = burst_bytes(shape),
                           .limit = shape.limit});
}

Message queue_message(IfIndex link, const Shape& shape) {
  Message message = put_qdisc({link, kRateHandle | kOnlyClass, kQueueHandle}, "pfifo");
  tc_fifo_qopt values{};
  values.limit = shape.limit;
  message.bytes(TCA_OPTIONS, &values, sizeof values);
  return message;
}

Result<> remove_at(Socket& socket, IfIndex link, std::uint32_t parent, std::uint32_t handle) {
  return remove_qdisc(socket, {link, parent, handle},
                      "take the qdisc from link " + std::to_string(link.value));
}

Result<> put(Socket& socket, Message message, IfIndex link, std::string_view option) {
  auto done = socket.request(message, "shape link " + std::to_string(link.value));
  if (!done && lacks_qdisc(done.error()))
    return fail(Errc::unsupported,
                "this kernel has no " + std::string(option) + " qdisc (CONFIG_NET_SCH_" +
                    (option == "tbf" ? "TBF, module sch_tbf)" : "NETEM, module sch_netem)"));
  return done;
}

}  // namespace

Result<> put_shape(Socket& socket, IfIndex link, const Shape& shape) {
  const bool delayed = shape.delay.count() > 0;
  const std::uint32_t parent = delayed ? kDelayHandle | kOnlyClass : TC_H_ROOT;
  // What is not wanted any more, or is in the way.
  if (!delayed) TRY_DO(remove_at(socket, link, TC_H_ROOT, kDelayHandle));
  if (delayed || shape.rate == 0) TRY_DO(remove_at(socket, link, TC_H_ROOT, kRateHandle));
  if (delayed && shape.rate == 0) TRY_DO(remove_at(socket, link, parent, kRateHandle));
  if (delayed) TRY_DO(put(socket, delay_message(link, shape), link, "netem"));
  if (shape.rate == 0) return {};
  TRY_DO(put(socket, rate_message(link, parent, shape), link, "tbf"));
  return put(socket, queue_message(link, shape), link, "pfifo");
}

Result<bool> has_qdisc(Socket& socket, IfIndex scratch, Qdisc qdisc) {
  Shape shape;
  if (qdisc == Qdisc::tbf) shape.rate = 1'000'000;
  if (qdisc == Qdisc::netem) shape.delay = std::chrono::milliseconds(1);
  auto done = put_shape(socket, scratch, shape);
  if (!done && done.error().code() != Errc::unsupported)
    return std::unexpected(std::move(done).error());
  TRY_DO(put_shape(socket, scratch, Shape{}));
  return done.has_value();
}

}  // namespace heddle::netlink
