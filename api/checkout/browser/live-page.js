/** Counts down and shows changes as they happen. The page is complete without it. */

const FIRST_WAIT_MS = 2_000
const LONGEST_WAIT_MS = 60_000
/** Wait before the page is loaded again after its time. */
const AGAIN_MS = 5_000

/** Milliseconds by which the server's clock is ahead of ours. */
let ahead = 0
/** Whether the page was just loaded again, because the time of its payment is over. */
let isOver = false

const byId = (id) => document.getElementById(id)

/** Prepares a main part that has just arrived. */
function begin() {
  const { now } = byId('main').dataset
  if (now) ahead = Number(now) - Date.now()
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false
  count()
}

function count() {
  const { expires, soon } = byId('main').dataset
  const left = byId('left')
  if (!expires || !left) return
  const milliseconds = Number(expires) - Date.now() - ahead
  const seconds = Math.max(0, Math.ceil(milliseconds / 1_000))
  const isSoon = milliseconds <= Number(soon)
  byId('clock').classList.toggle('soon', isSoon)
  // Far from the end the server's words are precise enough, and a moving number would only press.
  const minutes = Math.floor(seconds / 60)
  if (isSoon) left.textContent = `${minutes}:${String(seconds % 60).padStart(2, '0')}`
  else left.textContent = units(Math.ceil(seconds / 60))
  if (seconds === 0 && !isOver) {
    isOver = true
    void load()
    // The server's clock may be a moment behind.
    setTimeout(() => {
      isOver = false
    }, AGAIN_MS)
  }
}

/** Formats minutes as the server does. */
function units(minutes) {
  const [number, unit] =
    minutes < 120
      ? [minutes, 'minute']
      : minutes < 2_880
        ? [Math.ceil(minutes / 60), 'hour']
        : [Math.ceil(minutes / 1_440), 'day']
  const locale = `${document.documentElement.lang}-u-nu-latn`
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(number)
}

/** Shows another main part. @param {Element} next */
function show(next) {
  const old = byId('main')
  if (next.dataset.version === old.dataset.version) return
  const focused = document.activeElement?.id
  old.replaceWith(next)
  const headline = next.querySelector('h1').textContent
  document.title = [headline, document.querySelector('header').textContent.trim()].join(' · ')
  byId('news').textContent = headline
  if (focused) byId(focused)?.focus()
  begin()
}

/** Loads the page again, for a change that no event announces. */
async function load() {
  try {
    const answer = await fetch(location.href)
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('main')
    if (answer.ok && next) show(document.importNode(next, true))
  } catch {
    // The stream reports it once the network is back.
  }
}

/** Follows the payment. A browser connects again by itself, but not after a refusal. */
function follow(wait) {
  const query = new URLSearchParams({
    lang: document.documentElement.lang,
    version: byId('main').dataset.version,
  })
  const source = new EventSource(`${location.pathname}/live?${query}`)
  let next = wait
  source.onopen = () => {
    next = FIRST_WAIT_MS
  }
  source.onmessage = ({ data }) => {
    const template = document.createElement('template')
    template.innerHTML = JSON.parse(data)
    show(template.content.firstElementChild)
  }
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return
    setTimeout(() => follow(Math.min(LONGEST_WAIT_MS, 2 * next)), next * (0.5 + Math.random()))
  }
}

setInterval(count, 1_000)
begin()
follow(FIRST_WAIT_MS)
