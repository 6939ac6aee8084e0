/** Texts that every page may need, in each language. */

import type { Language } from './language.js'

const en = {
  language: 'Language',
  not_found: 'There is no such page',
  not_found_text: 'Check the link, or go back to the shop and open it again.',
  not_allowed: 'This page only shows something',
  not_allowed_text: 'It accepts nothing else. Open the link again.',
  too_many: 'Too many pages',
  too_many_text: 'Too many pages were loaded from your address. Wait a moment and load this one again.',
  failed: 'This page cannot be shown now',
  failed_text: 'Nothing was lost. Load the page again in a moment.',
}

/** Texts of one language. */
type PageWords = Readonly<Record<keyof typeof en, string>>

export const PAGE_WORDS: Readonly<Record<Language, PageWords>> = {
  en,
  de: {
    language: 'Sprache',
    not_found: 'Diese Seite gibt es nicht',
    not_found_text: 'Prüfen Sie den Link oder öffnen Sie ihn im Shop noch einmal.',
    not_allowed: 'Diese Seite zeigt nur etwas an',
    not_allowed_text: 'Sie nimmt nichts entgegen. Öffnen Sie den Link noch einmal.',
    too_many: 'Zu viele Seiten',
    too_many_text:
      'Von Ihrer Adresse wurden zu viele Seiten geladen. Warten Sie kurz und laden Sie diese Seite neu.',
    failed: 'Diese Seite kann gerade nicht gezeigt werden',
    failed_text: 'Es ist nichts verloren. Laden Sie die Seite gleich noch einmal.',
  },
  es: {
    language: 'Idioma',
    not_found: 'Esta página no existe',
    not_found_text: 'Compruebe el enlace o vuelva a abrirlo desde la tienda.',
    not_allowed: 'Esta página solo muestra información',
    not_allowed_text: 'No acepta otra cosa. Abra el enlace de nuevo.',
    too_many: 'Demasiadas páginas',
    too_many_text:
      'Se han cargado demasiadas páginas desde su dirección. Espere un momento y vuelva a cargar esta.',
    failed: 'Esta página no se puede mostrar ahora',
    failed_text: 'No se ha perdido nada. Vuelva a cargar la página en un momento.',
  },
  fr: {
    language: 'Langue',
    not_found: 'Cette page n’existe pas',
    not_found_text: 'Vérifiez le lien ou ouvrez-le de nouveau depuis la boutique.',
    not_allowed: 'Cette page ne fait qu’afficher',
    not_allowed_text: 'Elle n’accepte rien d’autre. Ouvrez de nouveau le lien.',
    too_many: 'Trop de pages',
    too_many_text:
      'Trop de pages ont été chargées depuis votre adresse. Patientez un instant, puis rechargez celle-ci.',
    failed: 'Cette page ne peut pas être affichée pour le moment',
    failed_text: 'Rien n’est perdu. Rechargez la page dans un instant.',
  },
  ar: {
    language: 'اللغة',
    not_found: 'هذه الصفحة غير موجودة',
    not_found_text: 'تحقق من الرابط أو افتحه مرة أخرى من المتجر.',
    not_allowed: 'هذه الصفحة للعرض فقط',
    not_allowed_text: 'لا تقبل هذه الصفحة شيئًا آخر. افتح الرابط مرة أخرى.',
    too_many: 'عدد كبير جدًا من الصفحات',
    too_many_text: 'تم تحميل عدد كبير جدًا من الصفحات من عنوانك. انتظر لحظة ثم أعد تحميل هذه الصفحة.',
    failed: 'لا يمكن عرض هذه الصفحة الآن',
    failed_text: 'لم يُفقد شيء. أعد تحميل الصفحة بعد لحظات.',
  },
}
