// Who reaches whom, and what address is seen: servers answer every caller with the caller's own address.
// busybox alone does both ends, so that containers, hosts and neighbours are asked in the same way.
import type { Place } from '../world/space.ts'

/** Ports served: neither has a service name, and the second is never published. */
export const PORTS = [5000, 61000] as const

/** Serves both ports; HTTP, answered by a CGI script. */
export async function serveHttp(at: Place): Promise<void> {
  const listen = PORTS.map((port) => `busybox httpd -p ${port} -h /tmp/www`).join('\n')
  await at.run(`set -e
    mkdir -p /tmp/www/cgi-bin
    printf '#!/bin/sh\\necho\\necho "$REMOTE_ADDR"\\n' >/tmp/www/cgi-bin/who
    chmod +x /tmp/www/cgi-bin/who
    ${listen}`)
}

/** What every target ("address port") says to `from`; undefined without an answer in a second. */
export async function askHttp(from: Place, targets: readonly string[]): Promise<readonly (string | undefined)[]> {
  const get = `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 1 $to 2>/dev/null | tail -n 1`
  const words = targets.map((target) => `"${target}"`).join(' ')
  const said = await from.run(`for to in ${words}; do echo "> $(${get})"; done`)
  return said
    .trim()
    .split('\n')
    .map((line) => /([\da-f:.]+)\]?\s*$/.exec(line)?.[1]?.replace('::ffff:', ''))
}

/** Whether ICMP and UDP (traceroute's) reach an address and are answered. */
export async function reachedBy(from: Place, address: string): Promise<string> {
  const traceroute = address.includes(':') ? 'traceroute6' : 'traceroute'
  const said = await from.run(`busybox ping -q -c 1 -W 1 ${address} >/dev/null && echo icmp
    busybox ${traceroute} -n -q 1 -w 1 -m 4 ${address} 2>/dev/null | grep -q '^ *[2-4] *${address} ' && echo udp; :`)
  return said.trim().split('\n').join(' ')
}
