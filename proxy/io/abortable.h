#pragma once

namespace heddle::io {

// What can be made to end from outside: whoever waits on it is resumed, with `cancelled`.
class Abortable {
 public:
  virtual void abort() = 0;

 protected:
  ~Abortable() = default;
};

}  // namespace heddle::io
