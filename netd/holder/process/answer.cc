#include "netd/holder/process/answer.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace heddle::process {
namespace {

using holder::Command;
using holder::kMaxKept;
using holder::Request;

bool names_one(const Request& request) {
  return request.command == Command::put || request.command == Command::drop;
}

std::optional<Request> parse(std::string_view bytes, std::size_t descriptors) {
  Request request{};
  if (bytes.size() != sizeof request) return std::nullopt;
  std::memcpy(&request, bytes.data(), sizeof request);
  if (request.magic != holder::kMagic || request.name_length > holder::kMaxName)
    return std::nullopt;
  if (descriptors != (request.command == Command::put ? 1 : 0)) return std::nullopt;
  if (names_one(request) && !holder::is_name({request.name, request.name_length}))
    return std::nullopt;
  return request;
}

int list(const Table& table, std::uint32_t cursor, Answer& answer) {
  if (cursor >= kMaxKept) return EINVAL;
  std::size_t place = table.next(cursor);
  for (; place < kMaxKept && answer.reply.count < holder::kPage; place = table.next(place + 1)) {
    answer.fds[answer.reply.count] = table.at(place).fd.get();
    answer.reply.names[answer.reply.count++] = table.at(place).name;
  }
  answer.reply.next = place < kMaxKept ? static_cast<std::uint32_t>(place) : 0;
  return 0;
}

}  // namespace

Answer answer(Table& table, std::string_view bytes, std::vector<UniqueFd> fds) {
  Answer answer;
  answer.reply.magic = holder::kMagic;
  answer.reply.sys_errno = EINVAL;
  const auto request = parse(bytes, fds.size());
  if (!request) return answer;
  const std::string_view name(request->name, request->name_length);
  switch (request->command) {
    case Command::put:
      answer.reply.sys_errno = table.put(name, std::move(fds.front())) ? 0 : ENOSPC;
      break;
    case Command::drop:
      table.drop(name);
      answer.reply.sys_errno = 0;
      break;
    case Command::list:
      answer.reply.sys_errno = list(table, request->cursor, answer);
      break;
    case Command::shut:
      answer.end = true;
      answer.reply.sys_errno = 0;
      break;
  }
  return answer;
}

}  // namespace heddle::process
