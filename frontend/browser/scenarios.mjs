/** What people do on the pages, and what must then be seen. */

import assert from 'node:assert/strict'

const ask = async (visitor, path) => (await fetch(`${visitor.base}/api/v1${path}`)).json()

/** Addresses of all pages, by name, with the most to show. */
async function all(visitor) {
  const [blocks, tasks, found, { robots }] = await Promise.all([
    ask(visitor, '/blocks?kind=award&limit=1'),
    ask(visitor, '/timeline'),
    ask(visitor, '/map'),
    ask(visitor, '/overview'),
  ])
  const { id } = blocks.items[0]
  return {
    overview: '/',
    dag: '/dag?colour=robot',
    'dag-block': `/dag?block=${id}&colour=side&space=even`,
    blocks: '/blocks',
    block: `/blocks/${id}`,
    robots: '/robots',
    robot: `/robots/${robots[0]}`,
    tasks: '/tasks',
    task: `/tasks/${tasks[0].task}`,
    map: `/map?region=${found.regions[0].region}`,
    trust: '/trust',
    models: '/models',
    splits: '/splits',
    find: `/find?q=${robots[0]}`,
    past: `/?time=${tasks[0].begin}`,
  }
}

async function tour(visitor, look) {
  const page = await visitor.open(look)
  for (const [name, path] of Object.entries(await all(visitor))) {
    await visitor.visit(path)
    assert.notEqual(await visitor.text('h1'), 'This page cannot be shown', path)
    assert.equal(await page.locator('.refusal').count(), 0, path)
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(over <= 0, `${path} is ${over} px wider than the window`)
    await visitor.accessible(path)
    await visitor.shot(name)
  }
}

export const light = (visitor) => tour(visitor, {})
export const dark = (visitor) => tour(visitor, { dark: true })
export const phone = (visitor) => tour(visitor, { dark: true, width: 360, height: 740 })

export async function search(visitor) {
  const page = await visitor.open()
  const name = (await ask(visitor, '/overview')).robots[1]
  await visitor.visit('/')
  await page.keyboard.press('/')
  await page.locator('.hints li').first().waitFor()
  assert.match(await visitor.text('.hints'), /robot/)
  await visitor.shot('hints')
  await page.keyboard.type(name)
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/find?q=${name}`)
  await page.locator('main').getByRole('link', { name, exact: true }).click()
  await page.waitForURL(`**/robots/${name}`)
  await visitor.settled()
  assert.equal(await visitor.text('h1'), name)
  await page.goBack()
  await page.waitForURL(`**/find?q=${name}`)
  const { id } = (await ask(visitor, '/blocks?limit=1')).items[0]
  await page.locator('#search').fill(id.slice(0, 12))
  await page.keyboard.press('Enter')
  await page.locator(`main a[href="/blocks/${id}"]`).waitFor()
  await visitor.visit('/find?q=xyzzyxyzzy')
  assert.match(await visitor.text('main'), /Nothing was found/)
}

export async function time(visitor) {
  const page = await visitor.open()
  await visitor.visit('/')
  const blocks = () => visitor.text('.tile strong')
  const now = await blocks()
  const { begin, end, splits } = await ask(visitor, '/activity')
  assert.equal(await page.locator('.histogram .split').count(), splits.length)
  const bar = await page.locator('#slider').boundingBox()
  await page.mouse.click(bar.x + bar.width / 2, bar.y + bar.height / 2)
  await page.waitForURL('**/?time=*')
  await visitor.settled()
  const chosen = Number(new URL(page.url()).searchParams.get('time'))
  assert.ok(Math.abs(chosen - (begin + end) / 2) < (end - begin) / 20, `${chosen}`)
  const then = await blocks()
  assert.ok(Number(then.replaceAll(/\D/g, '')) < Number(now.replaceAll(/\D/g, '')), then)
  await page.reload()
  await visitor.settled()
  assert.equal(await blocks(), then)
  // The time goes along to other pages.
  await page.keyboard.press('g')
  await page.keyboard.press('t')
  await page.waitForURL(`**/tasks?time=${chosen}`)
  await visitor.settled()
  await visitor.shot('tasks-then')
  const total = async () =>
    Number((await visitor.text('.pager span')).split(' in all')[0].replaceAll(/\D/g, ''))
  assert.equal(await total(), (await ask(visitor, `/tasks?time=${chosen}`)).total)
  await page.keyboard.press('t')
  await page.keyboard.press('Home')
  await page.waitForURL((url) => Number(url.searchParams.get('time')) < chosen)
  await page.keyboard.press('Escape')
  await page.keyboard.press('l')
  await page.waitForURL('**/tasks')
  await visitor.settled()
  assert.equal(await total(), (await ask(visitor, '/tasks')).total)
}

export async function dag(visitor) {
  const page = await visitor.open()
  await visitor.visit('/dag')
  const box = page.locator('.dag-box')
  const picture = async () => {
    await visitor.settled()
    return box.screenshot()
  }
  const byState = await picture()
  await page.getByLabel('Colour by', { exact: true }).selectOption('robot')
  await page.waitForURL('**/dag?colour=robot')
  assert.notDeepEqual(await picture(), byState, 'blocks are drawn in other colours')
  await box.focus()
  await page.keyboard.press('ArrowLeft')
  await page.locator('.card .facts').waitFor()
  const newest = new URL(page.url()).searchParams.get('block')
  await page.keyboard.press('ArrowLeft')
  await page.waitForURL((url) => ![newest, null].includes(url.searchParams.get('block')))
  const url = page.url()
  const before = new URL(url).searchParams.get('block')
  await page.locator('.card .facts', { hasText: before }).waitFor()
  await visitor.shot('chosen')
  await page.reload()
  await visitor.settled()
  assert.equal(page.url(), url)
  assert.equal(await page.getByLabel('Colour by', { exact: true }).inputValue(), 'robot')
  assert.match(await visitor.text('.card'), new RegExp(before))
  // The chosen block lies in the middle, wherever its lane is; a click beside it chooses none.
  await page.locator('.close').click()
  await page.waitForURL((now) => !now.searchParams.has('block'))
  const { x, y, width, height } = await box.boundingBox()
  const over = page.locator('.dag-box.is-over')
  for (let down = 30; down < height && !(await over.count()); down += 4) {
    await page.mouse.move(x + width / 2, y + down)
  }
  await page.mouse.down()
  await page.mouse.up()
  await page.waitForURL((now) => now.searchParams.get('block') === before)
  await box.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'Around it in the DAG' }).click()
  await page.waitForURL('**/dag?around=*')
  await visitor.settled()
  assert.match(await visitor.text('.part'), /Shown around/)
  await visitor.visit('/dag?limit=20000')
  await page.getByRole('button', { name: 'All' }).click()
  await visitor.shot('all')
  console.log(`frames a second while the picture is dragged: ${await frames(page, box)}`)
}

/** Drag the picture for a while, and count the frames. */
async function frames(page, box) {
  const { x, y, width } = await box.boundingBox()
  await page.evaluate(() => {
    globalThis.frames = []
    const note = (now) => {
      globalThis.frames.push(now)
      requestAnimationFrame(note)
    }
    requestAnimationFrame(note)
  })
  await page.mouse.move(x + width / 2, y + 60)
  await page.mouse.down()
  for (let step = 0; step < 150; step++) await page.mouse.move(x + width / 2 + 2 * step, y + 60)
  await page.mouse.up()
  const times = await page.evaluate(() => globalThis.frames)
  return (1000 * (times.length - 1)) / (times.at(-1) - times[0])
}

export async function paging(visitor) {
  const page = await visitor.open()
  await visitor.visit('/blocks')
  const first = () => page.locator('tbody a.id').first().getAttribute('href')
  const newest = await first()
  await page.getByRole('link', { name: 'Next' }).click()
  await page.waitForURL('**/blocks?page=*')
  await visitor.settled()
  const next = await first()
  assert.notEqual(next, newest)
  await page.reload()
  await visitor.settled()
  assert.equal(await first(), next)
  await page.getByRole('link', { name: 'First' }).click()
  await page.waitForURL('**/blocks')
  await visitor.settled()
  assert.equal(await first(), newest)
  const name = (await ask(visitor, '/overview')).robots[1]
  await page.getByLabel('Robot', { exact: true }).selectOption(name)
  await page.getByLabel('What', { exact: true }).selectOption('bid')
  await page.waitForURL('**/blocks?*kind=bid*')
  await visitor.settled()
  const total = (await ask(visitor, `/blocks?robot=${name}&kind=bid`)).total
  assert.match(await visitor.text('.pager'), new RegExp(`^${total} in all`))
}

export async function questions(visitor) {
  const page = await visitor.open()
  // Who did this task, and why: two clicks from the first page.
  await visitor.visit('/')
  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await page.waitForURL('**/tasks')
  await page.getByLabel('State', { exact: true }).selectOption('done')
  await page.waitForURL('**/tasks?state=done')
  await visitor.settled()
  await page.locator('tbody a').first().click()
  await page.waitForURL('**/tasks/0x*')
  await visitor.settled()
  assert.match(await visitor.text('main'), /Who had it/)
  assert.match(await visitor.text('.facts'), /Done by/i)
  // Why a robot was expelled: one click from the first page; two pictures, differing cells framed.
  await visitor.visit('/')
  await page.locator('.health a').first().click()
  await page.waitForURL('**/trust')
  await visitor.settled()
  const pair = page.locator('.verdict.is-bad .pair').first()
  assert.equal(await pair.getByRole('img').count(), 2)
  assert.match(await pair.getByRole('img').first().getAttribute('aria-label'), /\d+ cells differ/)
  // What happened while the link was down.
  await page.getByRole('link', { name: 'Splits', exact: true }).click()
  await page.waitForURL('**/splits')
  await visitor.settled()
  assert.match(await visitor.text('main section'), /nothing lost/)
  await page.getByRole('link', { name: 'See it in the DAG' }).first().click()
  await page.waitForURL('**/dag?*colour=side*')
  await visitor.settled()
}

export async function keyboard(visitor) {
  const page = await visitor.open()
  await visitor.visit('/')
  await page.keyboard.press('?')
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await visitor.accessible('the list of keys')
  await visitor.shot('keys')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme)
  assert.equal(await theme(), 'light')
  await page.keyboard.press('c')
  assert.equal(await theme(), 'dark')
  await page.reload()
  await visitor.settled()
  assert.equal(await theme(), 'dark')
  const pages = {
    o: '/',
    d: '/dag',
    b: '/blocks',
    r: '/robots',
    t: '/tasks',
    m: '/map',
    v: '/trust',
    n: '/models',
    s: '/splits',
  }
  for (const [key, path] of Object.entries(pages)) {
    await page.keyboard.press('g')
    await page.keyboard.press(key)
    await page.waitForURL(visitor.base + path)
  }
  await page.keyboard.press('Tab')
  const focused = () => page.evaluate(() => document.activeElement.textContent)
  await page.evaluate(() => document.body.focus())
  assert.notEqual(await focused(), '')
}

export async function markup(visitor) {
  const page = await visitor.open()
  const evil = await ask(visitor, '/blocks?robot=unsigned')
  const { data } = await ask(visitor, `/blocks/${evil.items[0].id}`)
  assert.match(data, /<script>.*<img/)
  for (const path of [
    `/blocks/${evil.items[0].id}`,
    `/dag?block=${evil.items[0].id}`,
    '/blocks?robot=unsigned',
    `/find?q=${encodeURIComponent(data)}`,
    `/find?q=${encodeURIComponent('<img')}`,
  ]) {
    await visitor.visit(path)
    assert.equal(await page.locator('main img, main script').count(), 0, path)
  }
  await visitor.visit(`/blocks/${evil.items[0].id}`)
  assert.ok((await visitor.text('main')).includes(data))
}

export async function errors(visitor) {
  const page = await visitor.open()
  visitor.allowed.push(/status of 40[04]/)
  await visitor.visit('/blocks/0xffffffff')
  await page.locator('.refusal').waitFor()
  assert.match(await visitor.text('.refusal'), /0xffffffff/)
  await visitor.shot('no-block')
  for (const path of [
    '/robots/nobody',
    '/tasks/0xffff',
    '/dag?around=0xffffffff',
    '/?time=-5e9',
  ]) {
    await visitor.visit(path)
    assert.ok((await visitor.text('main')).length > 20, path)
  }
  await visitor.visit('/nowhere')
  assert.equal(await visitor.text('h1'), 'There is no such page')
}

export async function live(visitor) {
  const page = await visitor.open()
  await visitor.visit('/')
  await page.locator('.status', { hasText: 'Live' }).waitFor()
  const number = (text) => Number(text.replaceAll(/\D/g, ''))
  const blocks = async () => number(await visitor.text('.tile strong'))
  const began = await blocks()
  await visitor.grow()
  await page.waitForFunction(
    (before) =>
      Number(document.querySelector('.tile strong').innerText.replaceAll(/\D/g, '')) > before,
    began,
  )
  const { total } = await ask(visitor, '/blocks?limit=1')
  assert.equal(await blocks(), total)
  // The DAG follows; paused, it stands still, and afterwards catches up.
  await page.keyboard.press('g')
  await page.keyboard.press('d')
  await page.waitForURL('**/dag')
  await visitor.settled()
  const box = page.locator('.dag-box')
  const newest = async () => {
    await box.focus()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL('**/dag?block=*')
    const { searchParams } = new URL(page.url())
    await page.locator('.close').click()
    await page.waitForURL((url) => !url.searchParams.has('block'))
    return searchParams.get('block')
  }
  assert.equal(await newest(), await last(visitor))
  await page.getByRole('button', { name: 'Newest' }).click()
  await page.getByRole('button', { name: 'Pause' }).click()
  const still = await box.screenshot()
  await visitor.grow()
  await page.locator('.status', { hasText: /[1-9]\d* new blocks? waiting/ }).waitFor()
  assert.deepEqual(await box.screenshot(), still, 'paused, the DAG stands still')
  await page.getByRole('button', { name: 'Resume' }).click()
  await page
    .locator('.note', { hasText: String((await ask(visitor, '/overview')).blocks) })
    .waitFor()
  assert.notDeepEqual(await box.screenshot(), still)
  assert.equal(await newest(), await last(visitor))
  await visitor.shot('dag')
}

const last = async (visitor) => (await ask(visitor, '/dag?limit=1')).id[0]
