// The form of WireGuard's keys as wg(8) writes them: 32 bytes in base64.

/** 32 bytes take 43 digits and a sign that nothing follows; the last digit has two bits too many. */
const FORM = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/

/** Whether a text is a key. */
export function isKey(text: string): boolean {
  return FORM.test(text)
}
