// The part of the npm package raw-socket that is used here; it comes without types.
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events'

  export interface Socket extends EventEmitter {
    /** `value` is an unsigned 32-bit number. Throws with the text of the system's error. */
    setOption(level: number, option: number, value: number): void
    /** Queued; `sent` gets an error with the system's text, or null. */
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      sent: (error: Error | null, bytes: number) => void,
    ): void
    close(): void
  }

  /** Throws with the text of the system's error. */
  export function createSocket(options: {
    readonly protocol: number
    /** 1 for IPv4, 2 for IPv6. */
    readonly addressFamily: number
    readonly bufferSize?: number
  }): Socket
}
