/** Copies addresses, checks a withdrawal while it is typed, and follows it. The pages are complete without it. */

const TYPING_MS = 700
const FOLLOW_MS = 5000

for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  const label = button.textContent
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
  } catch {
    return
  }
  button.textContent = button.dataset.copied
  document.getElementById('news').textContent = button.dataset.copied
  setTimeout(() => {
    button.textContent = label
  }, 2000)
})

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
  const list = page.querySelector('#main dl')
  outlook.hidden = answer.status !== 200
  if (answer.status === 200)
    outlook.replaceChildren(...list.querySelectorAll(':scope > div:nth-last-child(-n+3)'))
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

async function follow() {
  const main = document.getElementById('main')
  if (!main.hasAttribute('data-live')) return
  try {
    const answer = await fetch(location.href)
    if (!answer.ok) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const next = page.getElementById('main')
    if (next.innerHTML !== main.innerHTML) {
      const before = main.querySelector('strong').textContent
      main.replaceWith(document.adoptNode(next))
      const now = next.querySelector('strong').textContent
      if (now !== before) document.getElementById('news').textContent = now
    }
  } catch {
    // The next attempt may succeed.
  }
  setTimeout(follow, FOLLOW_MS)
}
setTimeout(follow, FOLLOW_MS)
