/** Checks a withdrawal while it is typed, and follows it. The pages are complete without it. */

const TYPING_MS = 700
const FOLLOW_MS = 5_000
/** Last rows of the page that asks for a confirmation: fee, what arrives, what is taken at most. */
const SHOWN_ROWS = 3

/** Asks for the page that the form would lead to, and takes what it says about each field. */
async function check(form, signal) {
  const answer = await fetch('/cashier/withdrawals/check', {
    method: 'POST',
    body: new URLSearchParams(new FormData(form)),
    signal,
  })
  if (answer.status !== 200 && answer.status !== 422) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const place of form.querySelectorAll('[data-error]')) {
    const field = place.dataset.error
    const said = page.getElementById(place.id)?.textContent ?? ''
    const input = form.elements.namedItem(field)
    // An empty field is not wrong yet.
    place.textContent = input?.value === '' ? '' : said
    if (place.textContent === '') input?.removeAttribute?.('aria-invalid')
    else input?.setAttribute?.('aria-invalid', 'true')
  }
  const outlook = form.querySelector('[data-outlook]')
  outlook.hidden = answer.status !== 200
  const list = page.querySelector('#main dl')
  if (answer.status !== 200 || !list) return
  document.querySelector('[role="alert"]')?.remove()
  // The user sees what they typed, so the fee and what follows from it are left.
  list.replaceChildren(...[...list.children].slice(-SHOWN_ROWS))
  outlook.replaceChildren(document.adoptNode(list))
}

let timer
let asked
document.addEventListener('input', (event) => {
  const form = event.target.closest('form')
  if (!form?.querySelector('[data-outlook]')) return
  clearTimeout(timer)
  asked?.abort()
  timer = setTimeout(() => {
    if (form.elements.amount.value === '' || form.elements.to_address.value === '') return
    asked = new AbortController()
    check(form, asked.signal).catch(() => {})
  }, TYPING_MS)
})

/** Shows how far the withdrawal is, until its end or that of the session. */
async function follow() {
  const main = document.getElementById('main')
  if (!main.hasAttribute('data-live')) return
  try {
    const answer = await fetch(location.href)
    if (answer.status === 401) return
    if (answer.ok) show(main, new DOMParser().parseFromString(await answer.text(), 'text/html'))
  } catch {
    // The next attempt may succeed.
  }
  setTimeout(follow, FOLLOW_MS)
}

function show(main, page) {
  const next = page.getElementById('main')
  // What is for browsers without scripts would load the page again.
  for (const each of [...main.querySelectorAll('noscript'), ...next.querySelectorAll('noscript')])
    each.remove()
  if (next.innerHTML === main.innerHTML) return
  const [before, now] = [main, next].map((each) => each.querySelector('strong').textContent)
  main.replaceWith(document.adoptNode(next))
  if (now !== before) document.getElementById('news').textContent = now
}

setTimeout(follow, FOLLOW_MS)
