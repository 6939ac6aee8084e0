/** Chooses the language of a page, and formats times in it. */

export const LANGUAGES = ['en', 'de', 'es', 'fr', 'ar'] as const

export type Language = (typeof LANGUAGES)[number]

/** Name of each language in itself. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ar: 'العربية',
}

const RIGHT_TO_LEFT: ReadonlySet<Language> = new Set<Language>(['ar'])

/** Languages of a browser that are read. The rest of a longer header is ignored. */
const MOST_RANGES = 20

/** Returns the direction in which a language is written. */
export function directionOf(language: Language): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr'
}

/**
 * Returns the language that was asked for by name, else the best one of an `Accept-Language` header, else
 * English.
 *
 * @param wanted - Value of `?lang=`. A value that is no language of ours counts as absent.
 */
export function chooseLanguage(wanted: string | undefined, acceptLanguage: string | undefined): Language {
  const named = toLanguage(wanted ?? '')
  if (named) return named
  const ranges = (acceptLanguage ?? '')
    .split(',', MOST_RANGES)
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
      const quality = parameters.find((each) => each.startsWith('q='))
      return { language: toLanguage(tag), quality: quality === undefined ? 1 : Number(quality.slice(2)) }
    })
    .filter(({ quality }) => quality > 0)
    // A stable sort: of equal ones the first is preferred.
    .sort((a, b) => b.quality - a.quality)
  return ranges.find(({ language }) => language !== null)?.language ?? 'en'
}

/** Returns the language of a tag such as `de-AT`. `null` if there is none. */
function toLanguage(tag: string): Language | null {
  const primary = tag.trim().toLowerCase().split('-')[0]
  return LANGUAGES.find((each) => each === primary) ?? null
}

/** Returns the locale for `Intl`. Digits are European, as in amounts and addresses. */
function localeOf(language: Language): string {
  return `${language}-u-nu-latn`
}

/** Formats by language. Making one costs several times what the rest of a page does. */
const formats = new Map<string, Intl.DateTimeFormat | Intl.NumberFormat>()

function kept<Format extends Intl.DateTimeFormat | Intl.NumberFormat>(
  name: string,
  make: () => Format,
): Format {
  const format = formats.get(name) ?? make()
  formats.set(name, format)
  return format as Format
}

/** Formats a time, in UTC. */
export function formatTime(language: Language, at: Date): string {
  const format = kept(`time ${language}`, () => {
    const style = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const
    return new Intl.DateTimeFormat(localeOf(language), style)
  })
  return `${withoutMarks(format.format(at))} UTC`
}

/** Formats a duration in its greatest unit that fits, rounded up: `59 minutes`. */
export function formatDuration(language: Language, milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1_000))
  const [count, unit] =
    seconds < 120
      ? [seconds, 'second']
      : seconds < 7_200
        ? [Math.ceil(seconds / 60), 'minute']
        : seconds < 172_800
          ? [Math.ceil(seconds / 3_600), 'hour']
          : [Math.ceil(seconds / 86_400), 'day']
  const format = kept(`${unit} ${language}`, () => {
    return new Intl.NumberFormat(localeOf(language), { style: 'unit', unit, unitDisplay: 'long' })
  })
  return withoutMarks(format.format(count))
}

/** Removes marks of direction, because elements of a page isolate what they hold. */
function withoutMarks(text: string): string {
  return text.replace(/\p{Cf}/gu, '')
}
