// One look at the kernel by a program that is no daemon.
import { LiveKernel } from './live.ts'

export async function withKernel<T>(use: (kernel: LiveKernel) => Promise<T>): Promise<T> {
  const kernel = new LiveKernel()
  try {
    return await use(kernel)
  } finally {
    kernel.close()
  }
}
