// Asking a daemon's health port, from inside its host.
import type { Place } from '../world/space.ts'

/** What the health port answered. */
export interface HealthAnswer {
  readonly status: number
  readonly text: string
}

/** GET of `path`; rejects without an answer after `seconds`. */
export async function askHealthPort(host: Place, path: string, port = 9000, seconds = 20): Promise<HealthAnswer> {
  const request = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`
  const answer = await host.run(`timeout ${seconds} bash -s`, request)
  const [head = '', text = ''] = answer.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.[01] (\d+)/.exec(head)?.[1]), text: text.trim() }
}
