// A network card in a space that needs no one at the other end: a veth pair with both ends there and up, so it has a carrier.
import type { Place } from './space.ts'

/** Adds the card `device` with these addresses ("10.9.0.1/24"). `far` names the other end, for tests that take it down. */
export async function addCard(
  place: Place,
  device: string,
  addresses: readonly string[],
  far = `${device}-far`,
): Promise<void> {
  await place.run(`set -e
    ip link add ${device} type veth peer name ${far}
    ip link set ${far} up; ip link set ${device} up
    ${addresses.map((address) => `ip addr add ${address} dev ${device}`).join('\n')}`)
}
