// An array that grows without copying if the system can remap its pages, so that hundreds of millions of transitions
// never need twice their memory.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace opsched {

template <class T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  void push_back(const T& value) {
    if (size_ == capacity_) grow();
    data_.get()[size_++] = value;
  }
  std::size_t size() const { return size_; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }

 private:
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 1024 : 2 * capacity_;
    void* moved = std::realloc(data_.get(), capacity * sizeof(T));
    if (!moved) throw std::bad_alloc();
    static_cast<void>(data_.release());
    data_.reset(static_cast<T*>(moved));
    capacity_ = capacity;
  }

  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace opsched
