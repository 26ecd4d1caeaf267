#include "dataplane/netlink/shape.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "dataplane/netlink/message.h"

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

tcmsg place(IfIndex link, std::uint32_t parent, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(link.value);
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

Message put_message(IfIndex link, std::uint32_t parent, std::uint32_t handle, const char* kind) {
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  message.header(place(link, parent, handle)).text(TCA_KIND, kind);
  return message;
}

// netem's options are its struct with the attributes behind it, in one attribute.
Message delay_message(IfIndex link, const Shape& shape) {
  Message message = put_message(link, TC_H_ROOT, kDelayHandle, "netem");
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
  const std::uint64_t bytes = std::max<std::uint64_t>(shape.rate / 8, 1);
  constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
  tc_tbf_qopt values{};
  values.rate.rate = static_cast<std::uint32_t>(std::min(bytes, kMost32));
  values.rate.linklayer = TC_LINKLAYER_ETHERNET;
  // Of the queue that a new bucket makes for itself, and of ours when this one is changed.
  values.limit = shape.limit;
  Message message = put_message(link, parent, kRateHandle, "tbf");
  {
    const Message::Nest options(message, TCA_OPTIONS);
    message.bytes(TCA_TBF_PARMS, &values, sizeof values).u32(TCA_TBF_BURST, burst_bytes(shape));
    if (bytes > kMost32) message.u64(TCA_TBF_RATE64, bytes);
  }
  return message;
}

Message queue_message(IfIndex link, const Shape& shape) {
  Message message = put_message(link, kRateHandle | kOnlyClass, kQueueHandle, "pfifo");
  tc_fifo_qopt values{};
  values.limit = shape.limit;
  message.bytes(TCA_OPTIONS, &values, sizeof values);
  return message;
}

Result<> remove_at(Socket& socket, IfIndex link, std::uint32_t parent, std::uint32_t handle) {
  Message message(RTM_DELQDISC, 0);
  message.header(place(link, parent, handle));
  auto removed = socket.request(message, "take the qdisc from link " + std::to_string(link.value));
  // ENOENT: another qdisc is there; EINVAL: none that can be deleted.
  if (removed || removed.error().code() == Errc::not_found || removed.error().sys_errno() == EINVAL)
    return {};
  return removed;
}

bool is_absent(const Error& error) {
  return error.sys_errno() == ENOENT || error.code() == Errc::unsupported;
}

Result<> put(Socket& socket, Message message, IfIndex link, std::string_view option) {
  auto done = socket.request(message, "shape link " + std::to_string(link.value));
  if (!done && is_absent(done.error()))
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
