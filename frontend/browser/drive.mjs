/**
 * Drives the pages in a real browser: node drive.mjs SCENARIO URL. The scenarios are the functions
 * of scenarios.mjs. Exit status 0 if all holds; else it says what does not.
 *
 * CHROMIUM names the browser, SCREENSHOTS a folder to write pictures to. A scenario that waits for
 * the ledger to grow says so on a line of its output, and goes on after a line of input.
 */

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import * as scenarios from './scenarios.mjs'

const PATIENCE = 120_000 // ms; a loaded machine is slow
// No graphics card is needed: WebGL in software.
const FLAGS = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--no-sandbox']

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A window onto the pages, and what went wrong in it. */
export class Visitor {
  constructor(browser, base, name) {
    Object.assign(this, { browser, base, name, faults: [], allowed: [] })
  }

  /** Open a new window. */
  async open({ dark = false, width = 1280, height = 900 } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    page.setDefaultTimeout(PATIENCE)
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.faults.push(message.text())
    })
    page.on('pageerror', (error) => this.faults.push(String(error.stack)))
    page.on('dialog', (dialog) => {
      this.faults.push(`ledger data ran as a script: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      const at = new URL(request.url())
      if (at.host !== new URL(this.base).host) this.faults.push(`asked ${request.url()}`)
    })
    this.page = page
    return page
  }

  /** Go to a page and wait until all of it is there. */
  async visit(path) {
    await this.page.goto(this.base + path)
    await this.settled()
  }

  /** Wait until what was done last is drawn, with all that was asked for it. */
  async settled() {
    await this.page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    )
    await this.page.waitForFunction(
      () =>
        document.querySelector('h1') &&
        document.querySelector('.histogram') &&
        !document.querySelector('.loading, [aria-busy=true], .dag-box[data-ready=false]'),
    )
  }

  /** Text of what a selector finds first. */
  text(selector) {
    return this.page.locator(selector).first().innerText()
  }

  async shot(name) {
    const folder = process.env.SCREENSHOTS
    if (!folder) return
    await mkdir(folder, { recursive: true })
    await this.page.screenshot({ path: join(folder, `${this.name}-${name}.png`) })
  }

  /** Check what can be checked of accessibility. */
  async accessible(where) {
    await this.page.evaluate(axe)
    const { violations } = await this.page.evaluate(() => globalThis.axe.run())
    const told = violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join('\n  ')}`,
    )
    assert.deepEqual(told, [], where)
  }

  /** Let the ledger grow by some blocks; say so, and wait for the answer. */
  async grow() {
    console.log('grow')
    await new Promise((resolve) => lines.once('line', resolve))
  }
}

const lines = createInterface({ input: process.stdin })
const [name, base] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS,
  timeout: PATIENCE,
})
try {
  const visitor = new Visitor(browser, base.replace(/\/$/, ''), name)
  await scenarios[name](visitor)
  const faults = visitor.faults.filter((fault) => !visitor.allowed.some((one) => one.test(fault)))
  assert.deepEqual(faults, [])
} finally {
  await browser.close()
  lines.close()
}
