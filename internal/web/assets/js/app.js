// On every page: htmx, live updates, confirmations, the theme, dropping films anywhere.
import "htmx.org";
import { confirmForms } from "./confirm.js";
import { copyButtons } from "./copy.js";
import { dropAnywhere } from "./drop.js";
import { live } from "./live.js";
import { hideBrokenPictures } from "./pictures.js";
import { themeButton } from "./theme.js";

hideBrokenPictures();
themeButton(document.querySelector("[data-theme-button]"));
confirmForms(document.querySelector("#confirm"));
copyButtons();
dropAnywhere(document.querySelector("[data-drop-page]"));
live(document.querySelector("[data-live]"));
