#include "netd/holder/process/table.h"

#include <cstring>

#include "common/base/check.h"

namespace heddle::process {

Table::Entry* Table::find(std::string_view name) {
  for (Entry& entry : entries_) {
    if (entry.fd && entry.text() == name) return &entry;
  }
  return nullptr;
}

bool Table::put(std::string_view name, UniqueFd fd) {
  CHECK(holder::is_name(name) && fd);
  Entry* entry = find(name);
  if (entry == nullptr) {
    std::size_t place = 0;
    while (place < entries_.size() && entries_[place].fd) ++place;
    if (place == holder::kMaxKept) return false;
    if (place == entries_.size()) entries_.emplace_back();
    entry = &entries_[place];
    entry->name.length = static_cast<std::uint32_t>(name.size());
    std::memcpy(entry->name.text, name.data(), name.size());
    ++size_;
  }
  entry->fd = std::move(fd);
  return true;
}

void Table::drop(std::string_view name) {
  Entry* entry = find(name);
  if (entry == nullptr) return;
  entry->fd.reset();
  --size_;
  while (!entries_.empty() && !entries_.back().fd) entries_.pop_back();
}

std::size_t Table::next(std::size_t from) const {
  for (std::size_t i = from; i < entries_.size(); ++i) {
    if (entries_[i].fd) return i;
  }
  return holder::kMaxKept;
}

}  // namespace heddle::process
