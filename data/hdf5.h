// The HDF5 C library behind handles that close themselves. Internal to data/.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

namespace drydock::data::hdf5 {

// An identifier and the function that releases it. Invalid (negative) identifiers are not released.
template <herr_t (*Close)(hid_t)>
class Handle {
  public:
    Handle() = default;
    explicit Handle(hid_t id) : id_(id) {}
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        return *this;
    }
    ~Handle() {
        if (id_ >= 0) Close(id_);
    }

    explicit operator bool() const { return id_ >= 0; }
    hid_t get() const { return id_; }
    // Releases now; false when the library reports an error, as it does when a late write fails.
    bool close() { return Close(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

  private:
    hid_t id_ = H5I_INVALID_HID;
};

using File = Handle<H5Fclose>;
using Set = Handle<H5Dclose>;
using Space = Handle<H5Sclose>;
using Type = Handle<H5Tclose>;
using Attribute = Handle<H5Aclose>;
using Properties = Handle<H5Pclose>;

// While it lives: this thread alone uses the library, which keeps global state, and the library
// prints nothing.
class Session {
  public:
    Session();
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

  private:
    std::unique_lock<std::mutex> lock_;
    H5E_auto2_t printer_ = nullptr;
    void* printer_data_ = nullptr;
};

// The innermost message of the library's last error, "no details" when there is none.
std::string last_error();

}  // namespace drydock::data::hdf5
