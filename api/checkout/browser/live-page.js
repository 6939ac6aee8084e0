/** Copies texts and counts down. The page is complete without it. */

/** Milliseconds by which the clock of the server is ahead of ours. */
let ahead = 0

function main() {
  return document.getElementById('main')
}

function begin() {
  ahead = Number(main().dataset.now || Date.now()) - Date.now()
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false
  count()
}

function count() {
  const { expires, soon } = main().dataset
  const left = document.getElementById('left')
  if (!expires || !left) return
  const seconds = Math.max(0, Math.ceil((Number(expires) - Date.now() - ahead) / 1000))
  const isSoon = seconds * 1000 <= Number(soon)
  document.getElementById('clock').classList.toggle('soon', isSoon)
  // Far from the end the text of the server is precise enough, and a number that moves would only press.
  if (isSoon) left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

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

setInterval(count, 1000)
begin()
