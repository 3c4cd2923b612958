// CUDA errors, and hosts without a GPU.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "core/error.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/device/why_no_gpu.hpp"
#include "core/runtime/cuda/kernels/kernel_check.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "tests/support/contains.hpp"

namespace opsched {
namespace {

using test::contains;

TEST(CudaCheck, TellsDevicesThatFailedFromCallsThatDid) {
  EXPECT_NO_THROW(cuda_check(cudaSuccess, "f()"));
  for (const cudaError_t lost : {cudaErrorIllegalAddress, cudaErrorAssert, cudaErrorLaunchFailure,
                                 cudaErrorECCUncorrectable, cudaErrorLaunchTimeout, cudaErrorIllegalInstruction}) {
    EXPECT_TRUE(is_sticky(lost)) << cudaGetErrorName(lost);
    EXPECT_THROW(cuda_check(lost, "f()"), DeviceLost) << cudaGetErrorName(lost);
  }
  for (const cudaError_t passing :
       {cudaErrorInvalidValue, cudaErrorMemoryAllocation, cudaErrorInvalidConfiguration, cudaErrorNoDevice,
        cudaErrorInsufficientDriver, cudaErrorStreamCaptureInvalidated}) {
    EXPECT_FALSE(is_sticky(passing)) << cudaGetErrorName(passing);
    try {
      cuda_check(passing, "f()");
      ADD_FAILURE() << cudaGetErrorName(passing);
    } catch (const DeviceLost&) {
      ADD_FAILURE() << cudaGetErrorName(passing) << " is no broken device";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("f()"), std::string::npos);
    }
  }
}

/// Runs a kernel that writes to an invalid address. Exits with 7 if every function that can report it throws
/// DeviceLost.
void lose_the_device() {
  int lost = 0;
  try {
    kernel_check::fill_random(nullptr, nullptr, 1, false, 0);
    OPSCHED_CUDA(cudaDeviceSynchronize());
  } catch (const DeviceLost& e) {
    std::cerr << e.what() << std::endl;
    ++lost;
  }
  try {  // the next unrelated call
    const DeviceBuffer buffer(1 << 20);
  } catch (const DeviceLost&) {
    ++lost;
  }
  try {  // a library that does not return CUDA's error
    cudnn::check(CUDNN_STATUS_EXECUTION_FAILED, "cudnnBackendExecute");
  } catch (const DeviceLost&) {
    ++lost;
  }
  std::exit(lost == 3 ? 7 : 1);
}

TEST(CudaCheckDeathTest, ALostDeviceIsKnownByEveryCallAfterwards) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU";
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a new process: CUDA does not survive a fork
  EXPECT_EXIT(lose_the_device(), testing::ExitedWithCode(7), "failed.*cudaDeviceSynchronize");
}

TEST(CudaDevices, AreThereOrSayWhyNot) {
  const CudaDevices found = cuda_devices();
  EXPECT_EQ(found.usable.empty(), !found.reason.empty()) << found.reason;
}

TEST(CudaDevices, ReasonsNameWhatHidesThem) {
  EXPECT_EQ(why_no_gpu(cudaErrorInsufficientDriver, "", true), cudaGetErrorString(cudaErrorInsufficientDriver));
  EXPECT_TRUE(contains(why_no_gpu(cudaErrorNoDevice, "", false), "CUDA_VISIBLE_DEVICES is empty"));
  EXPECT_TRUE(contains(why_no_gpu(cudaErrorNoDevice, "7", false), "CUDA_VISIBLE_DEVICES is '7'"));
  EXPECT_TRUE(contains(why_no_gpu(cudaErrorNoDevice, nullptr, true), "MIG is on"));
  EXPECT_TRUE(contains(why_no_gpu(cudaSuccess, nullptr, false), "finds none"));
  EXPECT_FALSE(contains(why_no_gpu(cudaErrorNoDevice, nullptr, false), "MIG"));
}

TEST(WhyNoGpu, KernelsMustBeForTheGpu) {
  EXPECT_EQ(why_no_kernels("90", 90), "");
  EXPECT_EQ(why_no_kernels("90", 100), "");
  EXPECT_EQ(why_no_kernels("80-real", 89), "");
  EXPECT_EQ(why_no_kernels("75-virtual 90-real", 80), "");
  EXPECT_EQ(why_no_kernels("native", 60), "");
  EXPECT_EQ(why_no_kernels("90a-real", 60), "");
  EXPECT_TRUE(contains(why_no_kernels("90", 89), "-DCMAKE_CUDA_ARCHITECTURES=89"));
  EXPECT_TRUE(contains(why_no_kernels("80-real 90-real", 100), "compute capability is 10.0"));
  EXPECT_TRUE(contains(why_no_kernels("86", 80), "kernels are for 86"));
}

}  // namespace
}  // namespace opsched
