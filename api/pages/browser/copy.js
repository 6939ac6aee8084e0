/** Copies a text when its button is clicked. Buttons are hidden until a script shows them. */

/** Time for which a button says that it has copied. */
const SAID_MS = 2_000

for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button || button.textContent === button.dataset.copied) return
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
  }, SAID_MS)
})
