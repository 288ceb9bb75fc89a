// A browser in the network of a host: Debian's Chromium, headless, led by playwright-core. It reaches what the host reaches, so
// nothing outside the lab, and keeps its files in a folder of its own.
// Invariant: closed when the test ends, failed or not; what the page says on the console or asks of others is kept.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { ROOT } from './flanneld.ts'
import type { Space } from '../world/space.ts'

/** A page that is open. */
export interface OpenPage {
  readonly page: Page
  /** Errors and warnings on its console, exceptions nobody caught, requests that failed or went elsewhere. */
  readonly complaints: readonly string[]
}

interface Owner {
  teardown(close: () => Promise<void>): void
}

/** Starts a browser on a host. */
export async function startBrowser(t: Owner, host: Space): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), `lab-browser-${process.pid}-`))
  const program = join(folder, 'chromium')
  // Of the host only its network: the pipe to the browser and its files stay this machine's.
  writeFileSync(program, `#!/bin/sh\nexec nsenter -t ${host.pid} -n -- chromium "$@"\n`)
  chmodSync(program, 0o755)
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb']
  const browser = await chromium.launch({
    executablePath: program,
    args,
    timeout: 120_000,
    env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder },
  })
  t.teardown(async () => {
    await browser.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return browser
}

/** Opens the page of the daemon on that host. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}, port = 9000): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1180, height: 900 }, ...options })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const complaints: string[] = []
  const origin = `http://127.0.0.1:${port}`
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    if (!/^data:/.test(request.url()) && !request.url().startsWith(`${origin}/`))
      complaints.push(`asks for ${request.url()}`)
  })
  await page.goto(`${origin}/`)
  return { page, complaints }
}

/** Pictures for the documents, made by `make screenshots` and by no other run: pixels and times differ each time. */
export const PICTURES = process.env['SCREENSHOTS'] === '1'

/** Takes one of the whole page, or of its upper `height` pixels. */
export async function takePicture(page: Page, name: string, height?: number): Promise<void> {
  if (!PICTURES) return
  const { width = 0 } = page.viewportSize() ?? {}
  const path = join(ROOT, 'docs/screenshots', `${name}.png`)
  const whole = await page.evaluate<number>('document.documentElement.scrollHeight')
  await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(height ?? whole, whole) } })
  // A picture of text has few colours: a third of the bytes.
  execFileSync('pngquant', ['--force', '--output', path, '128', path])
}

/** By how many pixels the page is wider than the screen. */
export async function pixelsTooWide(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}
