#pragma once
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "netd/model/ids.h"

namespace heddle::model {

// A map by id whose copies share what they have in common: a copy costs one pointer per
// kMostInChunk objects, a change one chunk, and what differs between two copies is found without
// looking into the chunks they share. Objects are reached by `const_iterator`, or mutably by
// operator[] and at(), which first make the one object the table's own. Values: a reference that
// operator[] or at() gave is valid until the table is copied or the object
//         erased. Threads: as for a std::map; two copies are two maps.
template <class T>
class Table final {
 public:
  using key_type = Id;
  using mapped_type = T;
  using value_type = std::pair<const Id, T>;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = const value_type&;
  using const_reference = const value_type&;

 private:
  static constexpr std::size_t kMostInChunk = 64;
  using Entry = std::shared_ptr<value_type>;
  using Chunk = std::vector<Entry>;  // by id, never empty
  using Chunks = std::vector<std::shared_ptr<Chunk>>;

 public:
  class const_iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = Table::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return *(*(*chunks_)[chunk_])[entry_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++entry_ == (*chunks_)[chunk_]->size()) {
        ++chunk_;
        entry_ = 0;
      }
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    const_iterator& operator--() {
      if (entry_ == 0) entry_ = (*chunks_)[--chunk_]->size();
      --entry_;
      return *this;
    }
    const_iterator operator--(int) {
      const_iterator before = *this;
      --*this;
      return before;
    }
    friend bool operator==(const const_iterator& a, const const_iterator& b) {
      return a.chunk_ == b.chunk_ && a.entry_ == b.entry_;
    }

   private:
    friend class Table;
    const_iterator(const Chunks* chunks, std::size_t chunk, std::size_t entry)
        : chunks_(chunks), chunk_(chunk), entry_(entry) {}
    const Chunks* chunks_ = nullptr;
    std::size_t chunk_ = 0;
    std::size_t entry_ = 0;
  };
  using iterator = const_iterator;

  const_iterator begin() const { return {&chunks_, 0, 0}; }
  const_iterator end() const { return {&chunks_, chunks_.size(), 0}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { *this = Table(); }

  const_iterator lower_bound(std::string_view id) const {
    const std::size_t chunk = chunk_of(id);
    if (chunk == chunks_.size()) return end();
    return {&chunks_, chunk, place_in(*chunks_[chunk], id)};
  }
  const_iterator find(std::string_view id) const {
    const const_iterator at = lower_bound(id);
    return at != end() && at->first == id ? at : end();
  }
  bool contains(std::string_view id) const { return find(id) != end(); }
  const T& at(std::string_view id) const {
    const const_iterator found = find(id);
    CHECK(found != end());
    return found->second;
  }
  T& at(std::string_view id) {
    const const_iterator found = find(id);
    CHECK(found != end());
    return own(found).second;
  }
  T& operator[](const Id& id) { return own(emplace(id, T()).first).second; }

  // The object that is there stays.
  std::pair<const_iterator, bool> emplace(Id id, T value) {
    return insert(std::make_shared<value_type>(std::move(id), std::move(value)), Present::stays);
  }
  std::pair<const_iterator, bool> insert_or_assign(Id id, T value) {
    return insert(std::make_shared<value_type>(std::move(id), std::move(value)),
                  Present::is_replaced);
  }
  // Shares the object of another table.
  std::pair<const_iterator, bool> share(const const_iterator& other) {
    return insert((*(*other.chunks_)[other.chunk_])[other.entry_], Present::stays);
  }
  std::size_t erase(std::string_view id) {
    const const_iterator at = find(id);
    if (at == end()) return 0;
    Chunk& chunk = own_chunk(at.chunk_);
    chunk.erase(chunk.begin() + static_cast<difference_type>(at.entry_));
    if (chunk.empty()) chunks_.erase(chunks_.begin() + static_cast<difference_type>(at.chunk_));
    --size_;
    return 1;
  }

  friend bool operator==(const Table& a, const Table& b) {
    if (a.size_ != b.size_) return false;
    bool equal = true;
    a.differences(b, [&](const Id&, const T*, const T*) { equal = false; });
    return equal;
  }

  // Calls `found(id, before, after)` for every object that is not equal in `after`, in order; null
  // where there is none.
  template <class Found>
  void differences(const Table& after, Found found) const {
    const_iterator a = begin();
    const_iterator b = after.begin();
    while (a != end() || b != after.end()) {
      if (skip_shared(a, b, after)) continue;
      if (b == after.end() || (a != end() && a->first < b->first)) {
        found(a->first, &a->second, static_cast<const T*>(nullptr));
        ++a;
      } else if (a == end() || b->first < a->first) {
        found(b->first, static_cast<const T*>(nullptr), &b->second);
        ++b;
      } else {
        if (&*a != &*b && !(a->second == b->second)) found(a->first, &a->second, &b->second);
        ++a;
        ++b;
      }
    }
  }

 private:
  enum class Present { stays, is_replaced };

  bool skip_shared(const_iterator& a, const_iterator& b, const Table& after) const {
    if (a.entry_ != 0 || b.entry_ != 0 || a == end() || b == after.end()) return false;
    if (chunks_[a.chunk_] != after.chunks_[b.chunk_]) return false;
    ++a.chunk_;
    ++b.chunk_;
    return true;
  }
  // The first chunk whose last id is not less.
  std::size_t chunk_of(std::string_view id) const {
    const auto at = std::ranges::partition_point(
        chunks_, [&](const auto& chunk) { return std::string_view(chunk->back()->first) < id; });
    return static_cast<std::size_t>(at - chunks_.begin());
  }
  static std::size_t place_in(const Chunk& chunk, std::string_view id) {
    const auto at = std::ranges::partition_point(
        chunk, [&](const Entry& entry) { return std::string_view(entry->first) < id; });
    return static_cast<std::size_t>(at - chunk.begin());
  }
  Chunk& own_chunk(std::size_t at) {
    auto& chunk = chunks_[at];
    if (chunk.use_count() != 1) chunk = std::make_shared<Chunk>(*chunk);
    return *chunk;
  }
  value_type& own(const const_iterator& at) {
    Entry& entry = own_chunk(at.chunk_)[at.entry_];
    if (entry.use_count() != 1) entry = std::make_shared<value_type>(*entry);
    return *entry;
  }
  std::pair<const_iterator, bool> insert(Entry entry, Present present) {
    const std::string_view id = entry->first;
    if (chunks_.empty()) chunks_.push_back(std::make_shared<Chunk>());
    const std::size_t at = std::min(chunk_of_inserted(id), chunks_.size() - 1);
    const std::size_t place = place_in(*chunks_[at], id);
    const bool there = place < chunks_[at]->size() && (*chunks_[at])[place]->first == id;
    if (there && present == Present::stays) return {const_iterator{&chunks_, at, place}, false};
    Chunk& chunk = own_chunk(at);
    if (there) {
      chunk[place] = std::move(entry);
      return {const_iterator{&chunks_, at, place}, false};
    }
    chunk.insert(chunk.begin() + static_cast<difference_type>(place), std::move(entry));
    ++size_;
    return {split(at, place), true};
  }
  std::size_t chunk_of_inserted(std::string_view id) const {
    return chunks_.front()->empty() ? 0 : chunk_of(id);
  }
  // Halves a chunk that has grown too large; where the object at `place` is then.
  const_iterator split(std::size_t at, std::size_t place) {
    Chunk& chunk = *chunks_[at];
    if (chunk.size() <= kMostInChunk) return {&chunks_, at, place};
    const std::size_t half = chunk.size() / 2;
    const auto middle = chunk.begin() + static_cast<difference_type>(half);
    auto upper = std::make_shared<Chunk>(std::make_move_iterator(middle),
                                         std::make_move_iterator(chunk.end()));
    chunk.erase(middle, chunk.end());
    chunks_.insert(chunks_.begin() + static_cast<difference_type>(at) + 1, std::move(upper));
    return place < half ? const_iterator{&chunks_, at, place}
                        : const_iterator{&chunks_, at + 1, place - half};
  }

  Chunks chunks_;
  std::size_t size_ = 0;
};

}  // namespace heddle::model
